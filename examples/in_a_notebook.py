"""Cells of a notebook: there a loop runs already, and synchronous calls work there too.

python examples/in_a_notebook.py    (or open it in an editor that shows `# %%` as cells)
"""

# %%
from pathlib import Path

from route_sql import open_default
from route_sql.demo.database import build_demo_database

database = open_default(build_demo_database(Path(".demo/clinic.sqlite"))).start()  # loaded for all cells

# %%
answer = database.ask("How many appointments were cancelled?")
print(answer["sql"], answer["rows"], f"confidence {answer['confidence']:.2f}")

# %%
answer = database.ask("And by month?")
print(answer["columns"], answer["rows"][:3], answer["doubts"])

# %%
database.stop()

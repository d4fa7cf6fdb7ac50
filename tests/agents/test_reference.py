"""Which questions refer to the one before, and which are whole."""

import asyncio
from pathlib import Path

import pytest

from route_sql.agents.reference import refers_back
from route_sql.demo.database import build_demo_database
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.schema.records import Schema

FOLLOW_UPS = """
And by month?
By month?
By doctor?
Per patient, please.
How many each month?
How many for each doctor?
Break that down by status.
Month by month?
What about Oslo?
Ålesund?
São Paulo?
How about the doctors?
And for 2023?
And in Lisbon?
The same for cancelled ones.
Same for the doctors
Now São Paulo, please.
How many are there?
How many of them?
How many of them were cancelled?
How many is that?
How many in total?
How many in Oslo?
How many were cancelled?
Just the number, please.
Count them.
Only the first 3.
Just 5 of them.
The top 10 only.
Only in 2024
Sort them by name, highest first.
Sort by name.
In descending order of name.
From the highest price to the lowest.
Also show the phone number.
And their names?
What are their names?
Which of those live in Porto?
Who treats him?
What is her phone number?
With the city too.
Add the city.
Only those with status cancelled.
Which of them have a price greater than 3?
Just the ones whose status is open.
Where price is more than 3.
Oslo?
The oldest?
Which is the oldest?
Who is the youngest?
What is the total?
And the average?
And which doctors?
without the cancelled ones
What is the average age of those patients?
Who else?
And the others?
What about the rest?
What are the names of these?
In that month, how many were there?
Group by city instead
And then?
exclude the cancelled appointments
Which is the most expensive?
Which has the fewest?
Which department has the most?
Which are in Oslo?
Which one has the most doctors?
Which one is the oldest?
How many doctors work in them?
How many patients are insured with one of them?
How old are they on average?
What colour is it?
Where is it located?
Which city do they live in?
Where was that one held?
Are there any in Porto?
Show only the names.
Can you sort them by name?
Could you also list the phone numbers?
Please keep just the first ones
Make it descending
Sort the result by name
Order the list by age
Back to the doctors: who was hired last?
Show the phone number also
Which doctors treat these patients?
Which building is this department in?
Who works in that department?
Who treated that patient?
What medications does this patient take?
How many appointments did each of those doctors have?
How many appointments did each one have?
How many appointments does each have?
Which department has the most of these doctors?
What is the specialty of the most common one?
Which is the cheapest one?
Which specialty is the most common among these?
Which cities are these?
Of these, which are chronic?
What are the appointments of its appointments?
Which of the patients in the list live in Oslo?
Which of the doctors above are surgeons?
How many doctors work there?
Which were hired in that department?
I also want to know their phone numbers.
That's great, but order it by age.
Who died?
""".strip().splitlines()

WHOLE = """
How many appointments were cancelled?
How many patients are there?
How many patients live in Oslo?
And how many doctors are there?
Now list all doctors.
Also show all insurers.
So, what is the average age of the patients?
Which doctors have more than ten appointments?
For each doctor, how many appointments are there?
In which city do most patients live?
In 2023, how many appointments were cancelled?
Of all patients, how many have no insurer?
List the names of the patients and their cities.
Which doctor has the most patients, and what is his name?
Show the doctors that work in the North building.
Number of appointments per month
Total appointments by doctor
average price of an appointment
Who is the oldest patient?
What is the name of the department with most doctors?
What is the capital of France?
How do I bake bread?
How many rockets did the space agency launch?
How many appointments are there this month?
List those who have no insurer.
Where do they live who have no insurer?
Are there patients without an insurer?
Does any doctor work in two departments?
Show patients and also their insurers
Where do the patients live?
Which patients have an appointment with the doctor that they saw first?
Is it true that every doctor has a patient?
Give me the phone numbers of all patients.
When was the first appointment?
Do doctors with more appointments cancel more of them?
For each department, how many doctors work in it?
List the departments and count the doctors in them.
How long does it take to reach the North building?
Which of the doctors is the oldest?
Which doctor has the most patients?
List those doctors who have no specialty.
How many employees who are IT staff work in the North building?
How many different severities are there?
Find all patients born before 1950, and sort the result by name.
Could you list the doctors?
顧客は何人いますか
有多少医生？
Сколько врачей?
Πόσοι γιατροί;
كم عدد الأطباء؟
For each building, how many departments does it have, and which one has the most?
Who treated the patient named Ana Sousa, and which department is this doctor in?
Which department has the most doctors? List these doctors.
Of all the doctors, who is the oldest one?
List the patients and the doctors that treated them.
How many appointments are in this database?
How many patients does each doctor have?
How many doctors work in the department, and how many of these are surgeons?
What are the names of the doctors with a salary of 3000 and above?
Which departments have more than ten doctors working there?
What is the phone number of the patient that has that name?
""".strip().splitlines()


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Schema:
    return asyncio.run(read(Path(tmp_path_factory.mktemp("demo")) / "clinic.sqlite"))


async def read(file: Path) -> Schema:
    catalog, name = Catalog.from_url(build_demo_database(file))
    async with catalog:
        return await catalog.get(name).schema()


@pytest.mark.parametrize("question", FOLLOW_UPS)
def test_a_follow_up(question: str, schema: Schema) -> None:
    assert refers_back(question, schema)


@pytest.mark.parametrize("question", WHOLE)
def test_a_whole_question(question: str, schema: Schema) -> None:
    assert not refers_back(question, schema)


@pytest.mark.parametrize("question", ["", " ", "?", "…", "\n"])
def test_no_words_refer_to_nothing(question: str, schema: Schema) -> None:
    assert not refers_back(question, schema)


COLUMNS_ONLY = (
    "What is the average price?",
    "Give me the names.",
    "Show the forms and prices",
    "What are the names?",
    "Please list the names alphabetically.",
    "Show the names as well as the prices.",
)


@pytest.mark.parametrize("question", COLUMNS_ONLY)
def test_columns_alone_are_those_of_the_earlier_query(question: str, schema: Schema) -> None:
    assert refers_back(question, schema, ["medication"])
    assert not refers_back(question, schema, ["diagnosis"])
    assert not refers_back(question, schema)


@pytest.mark.parametrize("question", ["What is the average price of a medication?", "List all plans.", "Average age?"])
def test_columns_of_other_tables_are_not(question: str, schema: Schema) -> None:
    assert not refers_back(question, schema, ["medication"])

#!/bin/bash
# The whole run in miniature, with a tiny random model and 40 questions: shows in minutes what would break.
set -e
. "$(dirname "$0")/env.sh"
rm -rf "$WORK/small"; mkdir -p "$WORK/small"; cd "$WORK/small"
python3 - <<'P'
from pathlib import Path
import yaml
from tiny_model import make_tiny_model, write_gguf
from route_sql.training.tuning.pieces import split_file
split_file(write_gguf(make_tiny_model(Path("tiny")), Path("tiny.gguf")), Path("pieces"), 300_000)
plan = yaml.safe_load(Path("../data/plan.yaml").read_text())
plan |= {"questions": "../data/questions.json", "databases": "../data/databases", "limit": 40, "pieces": "pieces"}
plan |= {"seconds": 60, "last_seconds": 20, "prompts": 12, "scored": 6, "processes": 4}
plan["sft"] |= {"base": "base/tiny.gguf", "tokenizer": "tiny", "data": "rows", "out": "run"}
Path("plan.yaml").write_text(yaml.safe_dump(plan))
P
asked="--questions ../data/questions.json --databases ../data/databases"
python3 -m route_sql train data $asked --limit 40 --max-tokens 800 --tokenizer tiny --out rows
python3 -m route_sql train two-stages --plan plan.yaml
python3 -m route_sql.training.two_stages.pack run out
echo REHEARSAL PASSED

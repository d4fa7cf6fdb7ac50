#!/bin/bash
# The whole run in miniature, with a tiny random model and 40 questions: shows in minutes what would break.
set -e
. "$(dirname "$0")/env.sh"
rm -rf "$WORK/small"; mkdir -p "$WORK/small"; cd "$WORK/small"
python3 - <<'P'
from pathlib import Path
from tiny_model import make_tiny_model, write_gguf
from route_sql.training.tuning.pieces import split_file
split_file(write_gguf(make_tiny_model(Path("tiny")), Path("tiny.gguf")), Path("pieces"), 300_000)
P
asked="--questions $WORK/data/questions.json --databases $WORK/data/databases"
python3 -m route_sql train data $asked --limit 40 --max-tokens 800 --tokenizer tiny --out rows
python3 -m route_sql.training.two_stages two-stages-0.5b --base base/tiny.gguf --pieces pieces --tokenizer tiny \
    --data rows --out run $asked --limit 40 --seconds 60 --last-seconds 20 --prompts 12 --scored 6 --processes 4
python3 -m route_sql.training.two_stages.pack run out
echo REHEARSAL PASSED

#!/bin/bash
# start.sh [PLAN]: the real run, in the background, by data/plan.yaml or a copy of it. The same call resumes a run that
# was stopped. A second run needs a plan with another `out`.
. "$(dirname "$0")/env.sh"
cd "$WORK" || exit 1
plan=${1:-data/plan.yaml}
run=$(python3 -c 'import sys
from pathlib import Path
from route_sql.training.two_stages.plan import load_plan
print(load_plan(Path(sys.argv[1])).out.absolute())' "$plan") || exit 1
echo "$run" > run.folder
setsid nohup python3 -m route_sql train two-stages --plan "$plan" >> "$run.log" 2>&1 < /dev/null &
echo $! > run.pid

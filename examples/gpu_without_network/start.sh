#!/bin/bash
# start.sh SECONDS [options]: the real run, in the background. The same call goes on with a run that was stopped.
# Another folder, with the base as it is: RUN=/tmp/second start.sh SECONDS --base $WORK/run/base
. "$(dirname "$0")/env.sh"
cd "$WORK" || exit 1
run=${RUN:-$WORK/run}; echo "$run" > run.folder
seconds=$1; shift
rows=$(for folder in data/rows-*; do echo --data "$WORK/$folder"; done)
setsid nohup python3 -m route_sql.training.two_stages two-stages-0.5b --base "$WORK/base/$(cat data/base.name)" \
    --pieces "$WORK/carried" --tokenizer "$WORK/data/tokenizer" $rows --out "$run" \
    --questions "$WORK/data/questions.json" --databases "$WORK/data/databases" \
    --seconds "$seconds" --last-seconds 120 "$@" >> "$run.log" 2>&1 < /dev/null &
echo $! > run.pid

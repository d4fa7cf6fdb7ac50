#!/bin/bash
# watch.sh SECONDS OUT [LINES]: wait that long or until the run ends, show how far it is, and pack what there is into OUT.
. "$(dirname "$0")/env.sh"
run=$(cat "$WORK/run.folder"); pid=$(cat "$WORK/run.pid"); end=$((SECONDS + $1))
while [ $SECONDS -lt $end ] && kill -0 "$pid" 2>/dev/null; do sleep 3; done
kill -0 "$pid" 2>/dev/null && echo STILL RUNNING || echo ENDED
nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader 2>/dev/null
tr '\r' '\n' < "$run.log" | grep -v -e '^ *$' -e '%|' | tail -"${3:-40}"
mkdir -p "$2"; cp "$run.log" "$2/run.log"
python3 -m route_sql.training.two_stages.pack "$run" "$2" 2>&1 | tail -1
ls -la "$2"

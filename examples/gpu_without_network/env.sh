# Read by the others: where everything lies on the machine with the GPU. What was carried is in $WORK/carried.
WORK=${WORK:-/tmp/route_sql}
export PYTHONPATH=$WORK/site HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=true PYTHONUNBUFFERED=1
export TQDM_DISABLE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1

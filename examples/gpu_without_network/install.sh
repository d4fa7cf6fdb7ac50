#!/bin/bash
# install.sh [code]: unpack what was carried; with "code", the code alone, after it was repaired and carried again.
set -e
. "$(dirname "$0")/env.sh"
carried=$WORK/carried
mkdir -p "$WORK/site"
if [ "$1" != code ]; then
    python3 -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --upgrade \
        --target "$WORK/site" "$carried"/*.whl
    tar -xJf "$carried/data.tar.xz" -C "$WORK"
fi
rm -rf "$WORK/site/route_sql"
tar -xJf "$carried/code.tar.xz" -C "$WORK/site"
python3 -c 'import torch, transformers, trl, datasets, peft, pyarrow, gguf
print("torch", torch.__version__, "GPU", torch.cuda.is_available(), "transformers", transformers.__version__)'

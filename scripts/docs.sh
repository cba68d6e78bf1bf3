#!/usr/bin/env bash
# Writes docs/reference from the tables in the code: docs.sh MILLRACE DIR. Plugins of other people are left out.
set -euo pipefail
millrace=$(realpath "$1")
dir=$2
unset MILLRACE_PLUGIN_PATH
mkdir -p "$dir"
rm -rf "$dir/ops" "$dir/commands"
"$millrace" help --markdown --write "$dir"
"$millrace" schema >"$dir/millrace.schema.json.part"
mv "$dir/millrace.schema.json.part" "$dir/millrace.schema.json"

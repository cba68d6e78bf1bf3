#!/usr/bin/env bash
# Writes docs/reference from the tables in the code: docs.sh MILLRACE DIR. Plugins of other people are left out.
set -euo pipefail
millrace=$(realpath "$1")
dir=$2
unset MILLRACE_PLUGIN_PATH
mkdir -p "$dir"
rm -rf "$dir/ops" "$dir/commands"
"$millrace" help --markdown --write "$dir"

# keep FILE COMMAND…: what it prints, there as a whole or not at all
keep() {
    local file=$1
    shift
    "$@" >"$file.part"
    mv "$file.part" "$file"
}
keep "$dir/millrace.schema.json" "$millrace" schema
keep "$dir/config.schema.json" "$millrace" settings --schema

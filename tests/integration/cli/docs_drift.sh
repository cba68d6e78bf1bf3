#!/usr/bin/env bash
# Writes the reference anew beside the tree's, and compares: docs_drift.sh MILLRACE SOURCE_DIR.
set -euo pipefail
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$2/scripts/docs.sh" "$1" "$fresh"
for part in commands ops settings.md millrace.schema.json config.schema.json; do
    diff -ru "$2/docs/reference/$part" "$fresh/$part" || {
        echo "docs/reference/$part is not what the code says: run ./dev docs and commit what changes" >&2
        exit 1
    }
done

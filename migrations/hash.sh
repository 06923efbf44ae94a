#!/bin/sh
# hash.sh - the schema's name: SHA-256 over the manifest (hash, two spaces, name) of every file that makes it.
# With -h it is written as a C header. lifeos-migrate computes the same over the files it is given.
set -eu
cd "$(dirname "$0")"
export LC_ALL=C
sum=$(for f in tables/*.sql api/*.sql roles.sql; do echo "$f"; done | sort | xargs sha256sum | sha256sum | cut -d' ' -f1)
if [ "${1:-}" = -h ]; then
        printf '#pragma once\n#define LIFEOS_SCHEMA_HASH "%s"\n' "$sum"
else
        echo "$sum"
fi

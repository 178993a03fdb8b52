#!/bin/sh
# The first run: the samples go in, and a few searches show that they came out. Uses $ARSIP and $ARSIP_HOME.
set -eu
here=$(dirname "$0")/../samples
# The samples get an archive of their own, whatever servers are configured.
unset ARSIP_DATABASE_URL ARSIP_REDIS_URL ARSIP_BLOB_URL
say() { printf '\n\033[1m$ arsip %s\033[0m\n' "$*"; }

say ingest samples
"$ARSIP" ingest "$here"
for query in 'pemeliharaan' '"acid-free boxes" OR "reading room"' 'maint* -invoice'; do
  say search "'$query'"
  "$ARSIP" search "$query"
done
say documents list
"$ARSIP" documents list
printf '\nThe archive is in %s. Try: ARSIP_HOME=%s %s search WORDS\n' "$ARSIP_HOME" "$ARSIP_HOME" "$ARSIP"

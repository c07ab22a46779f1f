#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, FUZZTIME each.
# Targets are found, not listed: a new one is part of the next run. All of them
# run even if one fails; the exit code tells.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fuzztime=${FUZZTIME:-1m}

# go test -list prints the names of a package, then a line that names the package.
targets=$(go test -list '^Fuzz' ./... | awk '
  /^Fuzz/ { names[++n] = $1 }
  /^(ok|\?)[ \t]/ { for (i = 1; i <= n; i++) print $2, names[i]; n = 0 }')

passed=0 failed=0
while read -r package name; do
  [ -n "$name" ] || continue
  echo "=== $package $name ($fuzztime)"
  if go test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" "$package" </dev/null; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
done <<<"$targets"

echo "fuzz targets: $passed clean, $failed with findings"
[ "$failed" = 0 ]

#!/usr/bin/env bash
# Makes sure that the tools named on the command line are there, and does
# nothing when they are. Needs no more than Go and, where a Debian package is
# missing, the right to install it.
#
#   aws        the AWS CLI, in a Python environment of its own under .tools/aws
#   mosquitto  the broker Mosquitto and its command line clients, Debian packages
#   node       MQTT clients of Node.js, AWS's among them, under .tools/node
#   pgbouncer  a pooler of connections, a Debian package; what needs it is skipped without
#   postgres   the server of PostgreSQL, a Debian package; none is started
#   python     AWS's SDK for devices, in a Python environment of its own under .tools/python
#   race       the C compiler that the race detector links with
#   lint       golangci-lint, under .tools/bin
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Pinned: what the tests expect of the CLI and what lint finds change with the version.
awscli=1.45.11
awsiotsdk=1.31.0
golangci_lint=v2.15.0

say() { echo "tools: $*" >&2; }

# debian PACKAGE...: installs Debian packages, or says which ones are missing.
debian() {
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    say "please install: $*"
    return 1
  fi
  say "installing $*"
  {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
  } </dev/null >&2
}

# environment DIR PACKAGE: makes a Python environment with a package.
environment() {
  say "installing $2 into $1"
  rm -rf "$1"
  if ! command -v python3 >/dev/null || ! python3 -m venv "$1" >/dev/null 2>&1; then
    rm -rf "$1"
    debian python3 python3-venv
    python3 -m venv "$1"
  fi
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check "$2" </dev/null >&2
}

aws() {
  local dir=.tools/aws
  # Running it is the check: an environment that was moved or half made does not run.
  local have
  have=$("$dir/bin/aws" --version 2>/dev/null || true)
  if [[ $have == "aws-cli/$awscli "* ]]; then
    return
  fi
  environment "$dir" "awscli==$awscli"
  "$dir/bin/aws" --version >/dev/null
}

# Not in the environment of the CLI, which signs in another way when it finds the SDK's runtime.
python() {
  local dir=.tools/python have
  have=$("$dir/bin/python" -c 'import awscrt.io, awsiot; print(awsiot.__version__)' 2>/dev/null || true)
  if [[ $have == "$awsiotsdk" ]]; then
    return
  fi
  environment "$dir" "awsiotsdk==$awsiotsdk"
  "$dir/bin/python" -c 'import awscrt.io, awsiot'
}

mosquitto() {
  local broker
  broker=$(PATH=$PATH:/usr/sbin:/usr/local/sbin type -P mosquitto || true) # not this function
  if [ -n "$broker" ] && type -P mosquitto_rr >/dev/null; then
    return
  fi
  debian mosquitto mosquitto-clients
  # The package also starts a broker on the usual port, which nobody has asked for.
  if [ -z "$broker" ] && [ -d /run/systemd/system ]; then
    systemctl disable --quiet --now mosquitto
  fi
}

node() {
  local dir=.tools/node lock=test/e2e/node/package-lock.json
  # Copied last: an installation that broke off has none.
  if cmp -s "$lock" "$dir/installed" && type -P node >/dev/null; then
    return
  fi
  type -P node npm >/dev/null || debian nodejs npm
  say "installing MQTT clients of Node.js into $dir"
  rm -rf "$dir"
  mkdir -p "$dir"
  cp test/e2e/node/package.json "$lock" "$dir"
  npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --silent </dev/null >&2
  cp "$lock" "$dir/installed"
}

postgres() {
  if type -P initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
    return
  fi
  # The tests start servers of their own: the package need not start one for everybody.
  local conf=/etc/postgresql-common/createcluster.conf
  debian postgresql-common
  sed -i 's/^#\? *create_main_cluster.*/create_main_cluster = false/' "$conf"
  debian postgresql
}

pgbouncer() {
  if PATH=$PATH:/usr/sbin:/usr/local/sbin type -P pgbouncer >/dev/null; then
    return
  fi
  if ! debian pgbouncer; then
    say "going on without PgBouncer"
  elif [ -d /run/systemd/system ]; then
    systemctl disable --quiet --now pgbouncer # nobody has asked for one on the usual port
  fi
}

race() {
  if command -v "$(go env CC)" >/dev/null; then
    return
  fi
  debian gcc libc6-dev || {
    say "the race detector needs a C compiler; make test RACE= goes without it"
    return 1
  }
}

lint() {
  local bin=.tools/bin have
  have=$("$bin/golangci-lint" version 2>/dev/null || true)
  if [[ $have == *"version ${golangci_lint#v} "* ]]; then
    return
  fi
  say "installing golangci-lint $golangci_lint into $bin (takes a minute)"
  GOBIN="$PWD/$bin" go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$golangci_lint"
}

for tool in "$@"; do
  case "$tool" in
    aws | mosquitto | node | pgbouncer | postgres | python | race | lint) "$tool" ;;
    *)
      say "unknown tool $tool"
      exit 2
      ;;
  esac
done

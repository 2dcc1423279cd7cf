# Sourced by scripts/demo and scripts/test: make .venv once, then reuse it until the packaging files change.
# shellcheck shell=bash

find_python() {
  local name
  for name in python3.11 python3.12 python3.13 python3; do
    if "$name" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "raft needs Python 3.11 or newer with its venv module, and none is on the PATH: install python3.11 and run this again" >&2
  return 1
}

# prepare WHAT: install WHAT (`.` or `.[dev]`) into .venv, unless these very packaging files were installed already.
prepare() {
  local what=$1 stamp=.venv/installed python wanted
  # The path counts too: a folder that was moved needs its commands written anew.
  wanted=$(cat pyproject.toml constraints.txt <(pwd) | cksum)
  if [[ -f $stamp ]] && .venv/bin/python -c '' 2>/dev/null; then
    case "$(cat "$stamp")" in
      # The development install holds all that the plain one does.
      "$wanted $what" | "$wanted .[dev]") return ;;
    esac
  fi
  if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    python=$(find_python)
    "$python" -m venv --clear .venv
  fi
  rm -f "$stamp"
  echo "installing into .venv (once; later runs reuse it)" >&2
  .venv/bin/python -m pip install --quiet --upgrade pip
  .venv/bin/python -m pip install --quiet --constraint constraints.txt --editable "$what"
  echo "$wanted $what" > "$stamp"
}

# Fetch the language model into the cache, unless it is there. Without it the tests that need it are skipped, and say so.
fetch_model() {
  .venv/bin/raft fetch smollm2 > /dev/null || echo "going on without smollm2: tests that need it are skipped" >&2
}

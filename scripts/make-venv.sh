#!/bin/sh
# Makes the virtual environment: make-venv.sh PYTHON FOLDER
# Takes the first of PYTHON and the versioned names that is new enough.
set -eu

for python in "$1" python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        rm -rf "$2"
        echo "Making $2 with $("$python" --version) ..."
        "$python" -m venv "$2" && exit 0
        rm -rf "$2"
        echo "$python cannot make virtual environments." >&2
        echo "On Debian: apt-get install python3-venv" >&2
        exit 1
    fi
done
echo "Jobdeck needs Python 3.11 or newer, and there is none on the PATH." >&2
echo "Install one, or name one: make setup PYTHON=/path/to/python3" >&2
exit 1

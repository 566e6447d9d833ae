#!/bin/sh
# Say in one line what is missing to install this project, and how to get it.
# usage: prerequisites.sh PYTHON
set -eu
python=$1

stop() {
    echo "rejshand_ros: $1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    stop "python '$python' not found: install python3 (3.11 to 3.13), or name one: make PYTHON=/path/to/python3"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
    stop "'$python' does not run: name another python: make PYTHON=/path/to/python3"
case $version in
3.11 | 3.12 | 3.13) ;;
*) stop "'$python' is Python $version and 3.11, 3.12 or 3.13 is needed: install one and name it: make PYTHON=python3.12" ;;
esac
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    stop "'$python' cannot make virtual environments: install its venv package (Debian, Ubuntu: apt install python$version-venv)"
headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[ -f "$headers/Python.h" ] ||
    stop "'$python' has no C headers ($headers/Python.h): install its development package (Debian, Ubuntu: apt install python$version-dev)"
command -v "${CXX:-c++}" >/dev/null 2>&1 ||
    stop "no C++ compiler '${CXX:-c++}' found: install one (Debian, Ubuntu: apt install g++)"
command -v "${CC:-cc}" >/dev/null 2>&1 ||
    stop "no C compiler '${CC:-cc}' found: install one (Debian, Ubuntu: apt install gcc)"
command -v cmake >/dev/null 2>&1 ||
    stop "cmake not found: install it (Debian, Ubuntu: apt install cmake)"

#!/bin/sh
# run.sh armhf|abidiff SOURCE-DIR WORK-DIR: the plugin interface held against what it was. Exit status: 0 the same, 1 not, 77 a
# tool is missing. `run.sh reference SOURCE-DIR FILE` writes the reference anew: for a new ABI, or a struct that grew at its end.
set -eu
interface=$2/tests/abi/layout.c

need() { command -v "$1" >/dev/null || { echo "SKIP: $1 is missing (apt install $2)"; exit 77; }; }

# make_object FILE: with all that the header declares in its debugging information.
make_object() {
    "${CC:-cc}" -std=c11 -g -ffile-prefix-map="$2"=. -shared -fPIC -I "$2/plugins/include" -o "$1" "$interface"
}

case $1 in
    armhf)
        need clang clang
        clang --target=arm-linux-gnueabihf -std=c11 -ffreestanding -fsyntax-only -I "$2/plugins/include" "$interface"
        ;;
    abidiff)
        need abidiff abigail-tools
        reference=$2/tests/abi/holdfast-plugin-$(uname -m).abi
        [ -e "$reference" ] || { echo "SKIP: there is no reference for $(uname -m)"; exit 77; }
        make_object "$3/holdfast-plugin-abi.so" "$2"
        abidiff "$reference" "$3/holdfast-plugin-abi.so"
        ;;
    reference)
        need abidw abigail-tools
        object=$(mktemp --suffix=.so)
        trap 'rm -f "$object"' EXIT
        make_object "$object" "$2"
        abidw --no-corpus-path --no-comp-dir-path --no-show-locs --out-file "$3" "$object"
        ;;
esac

#!/usr/bin/env bash
# run.sh CMAKE BUILD CC: installs BUILD into a prefix, has the installed command write a new plugin, builds and tests that against the prefix, once with
# find_package and once with pkg-config, and uses both with the installed command. Then the prefix is moved, and all must still work.
set -euo pipefail
cmake=$1 build=$2 cc=$3
work=$(mktemp -d "${TMPDIR:-/tmp}/millrace-test-XXXXXX")
trap 'rm -rf "$work"' EXIT
unset MILLRACE_PLUGIN_PATH PKG_CONFIG_PATH CFLAGS CPPFLAGS LDFLAGS DESTDIR MAKEFLAGS CMAKE_PREFIX_PATH

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}
step() { printf '== %s\n' "$*"; }

# The plugin file is the one that is used, has its op, and counts.
try() {
    local millrace=$1 plugin=$2
    local folder=${plugin%/*}
    export MILLRACE_PLUGIN_PATH=$folder
    "$millrace" plugins --json >"$work/plugins.json"
    grep -qF "\"path\":\"$plugin\"" "$work/plugins.json" || fail "'$millrace plugins' does not list $plugin: $(cat "$work/plugins.json")"
    "$millrace" ops tally.count >"$work/op.txt"
    grep -q 'counts the bytes' "$work/op.txt" || fail "'$millrace ops tally.count' says: $(cat "$work/op.txt")"
    rm -rf "$work/out" "$work/state"
    "$millrace" run "$work/count.yaml" --input "$work/three-lines.txt" --output "$work/out" --state "$work/state" --json >"$work/events.jsonl"
    grep -q '"bytes":14,"lines":3' "$work/events.jsonl" || fail "a run gave $(cat "$work/events.jsonl")"
    unset MILLRACE_PLUGIN_PATH
}

check_exports() {
    local names
    names=$(nm -D --defined-only "$1" | awk '{print $3}')
    [[ $names == mr_plugin_entry ]] || fail "$1 exports: $names"
    ! nm -D --undefined-only "$1" | grep -q ' mr_' || fail "$1 wants functions of millrace itself"
}

printf 'one\ntwo\nthree\n' >"$work/three-lines.txt"
cat >"$work/count.yaml" <<'YAML'
millrace: 1
name: count
inputs:
  source: {type: text, help: what to count}
nodes:
  count: {op: tally.count, in: {source: inputs.source}, with: {lines: true}}
outputs:
  count: count.count
YAML

step "install into a prefix"
"$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || fail "the installation: $(cat "$work/install.log")"

step "a new plugin"
"$work/prefix/bin/millrace" new plugin tally --dir "$work" >"$work/new.txt" || fail "millrace new plugin"
mv "$work/tally" "$work/source"
! grep -rn example "$work/source" || fail "the new plugin speaks of another"

step "find_package(Millrace)"
"$cmake" -S "$work/source" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="-Wall -Wextra -Werror -pedantic" \
    -DCMAKE_BUILD_TYPE=Release >"$work/configure.log" 2>&1 || fail "$(cat "$work/configure.log")"
"$cmake" --build "$work/cmake" >"$work/build.log" 2>&1 || fail "$(cat "$work/build.log")"
grep -q "^Millrace_DIR:PATH=$work/prefix/" "$work/cmake/CMakeCache.txt" || fail "another Millrace was found: $(grep Millrace_DIR "$work/cmake/CMakeCache.txt")"
check_exports "$work/cmake/tally.so"
"${cmake%cmake}ctest" --test-dir "$work/cmake" --output-on-failure --no-tests=error >"$work/ctest.log" || fail "$(cat "$work/ctest.log")"
try "$work/prefix/bin/millrace" "$work/cmake/tally.so"

step "pkg-config millrace"
export PKG_CONFIG_LIBDIR=$work/prefix/lib/pkgconfig
for folder in "$work"/prefix/lib/*/pkgconfig; do
    [[ -d $folder ]] && PKG_CONFIG_LIBDIR+=:$folder
done
make -C "$work/source" CC="$cc" CFLAGS="-O2 -Wall -Wextra -Werror -pedantic" >"$work/make.log" 2>&1 || fail "$(cat "$work/make.log")"
check_exports "$work/source/tally.so"
make -C "$work/source" test >"$work/make.log" 2>&1 || fail "$(cat "$work/make.log")"
grep -q 'ok  *case  *several reads' "$work/make.log" || fail "its cases were not tried: $(cat "$work/make.log")"
mkdir "$work/made"
mv "$work/source/tally.so" "$work/made/"
try "$work/prefix/bin/millrace" "$work/made/tally.so"

step "a prefix that was moved, with the plugin installed into it"
mv "$work/prefix" "$work/moved"
PKG_CONFIG_LIBDIR=${PKG_CONFIG_LIBDIR//$work\/prefix/$work/moved}
make -C "$work/source" install CC="$cc" >"$work/make.log" 2>&1 || fail "$(cat "$work/make.log")"
[[ -f $work/moved/lib/millrace/plugins/tally.so ]] || fail "make install: $(cat "$work/make.log")"
"$work/moved/bin/millrace" ops --names | grep -qx tally.count || fail "an installed plugin is not found"
rm "$work/moved/lib/millrace/plugins/tally.so"
rm -rf "$work/cmake"
"$cmake" -S "$work/source" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/moved" -DCMAKE_C_COMPILER="$cc" >"$work/configure.log" 2>&1 || fail "$(cat "$work/configure.log")"
"$cmake" --build "$work/cmake" --target install >"$work/build.log" 2>&1 || fail "$(cat "$work/build.log")"
"$work/moved/bin/millrace" ops --names | grep -qx tally.count || fail "a plugin that CMake installed is not found"
echo "ok"

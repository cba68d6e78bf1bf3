#!/usr/bin/env bash
# examples.sh CMAKE BUILD EXAMPLES CC: installs BUILD into a prefix, builds each example against it, with find_package and with pkg-config, has
# `millrace test-plugin` look at it, and runs its pipeline.
set -euo pipefail
cmake=$1 build=$2 examples=$3 cc=$4
work=$(mktemp -d "${TMPDIR:-/tmp}/millrace-test-XXXXXX")
trap 'rm -rf "$work"' EXIT
unset MILLRACE_PLUGIN_PATH CFLAGS CPPFLAGS LDFLAGS DESTDIR MAKEFLAGS CMAKE_PREFIX_PATH
millrace=$work/prefix/bin/millrace

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

step() { printf '== %s\n' "$*"; }

# The mean luma of a part of a picture, W:H:X:Y, 0 … 255.
luma() { ffmpeg -v error -ss "$2" -i "$1" -frames:v 1 -vf "crop=$3,format=gray,scale=1:1:flags=area" -f rawvideo - | od -An -tu1 | tr -d ' '; }

run() {
    local name=$1 input=$2 output=$3
    MILLRACE_PLUGIN_PATH=$work/$name/build "$millrace" run "$work/$name/pipeline.yaml" --input "$input" --output "$output" --state "$work/state" \
        >"$work/$name.out" 2>"$work/$name.err" || fail "the pipeline of $name: $(cat "$work/$name.err")"
}

step "install into a prefix"
"$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || fail "the installation: $(cat "$work/install.log")"
PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig
for folder in "$work"/prefix/lib/*/pkgconfig; do
    [[ -d $folder ]] && PKG_CONFIG_PATH+=:$folder
done
export PKG_CONFIG_PATH

for name in watermark scenes memory; do
    step "$name"
    cp -r "$examples/$name" "$work/$name"
    "$cmake" -S "$work/$name" -B "$work/$name/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_C_FLAGS="-Wall -Wextra -Werror -pedantic" -DCMAKE_BUILD_TYPE=Release >"$work/cmake.log" 2>&1 || fail "$(cat "$work/cmake.log")"
    "$cmake" --build "$work/$name/build" >"$work/build.log" 2>&1 || fail "$(cat "$work/build.log")"
    "${cmake%cmake}ctest" --test-dir "$work/$name/build" --output-on-failure --no-tests=error >"$work/ctest.log" || fail "$(cat "$work/ctest.log")"
    make -C "$work/$name" CC="$cc" CFLAGS="-O2 -Wall -Wextra -Werror -pedantic" >"$work/make.log" 2>&1 || fail "$(cat "$work/make.log")"
    [[ $(nm -D --defined-only "$work/$name/$name.so" | awk '{print $3}') == mr_plugin_entry ]] || fail "$name.so exports more than mr_plugin_entry"
    rm "$work/$name/$name.so"
done

step "the watermark is on the pictures"
ffmpeg -v error -f lavfi -i color=black:s=320x180:r=25:d=2 -c:v libx264 -preset ultrafast "$work/black.mp4"
run watermark "$work/black.mp4" "$work/out"
# 11 letters of 5 x 7 pixels of 2 x 2 in the lower right corner; the clock in the upper left one; nothing between.
(($(luma "$work/out/video.mp4" 1 130:14:184:160) > 60)) || fail "there is no text in the lower right corner"
(($(luma "$work/out/video.mp4" 1 140:14:6:6) > 35)) || fail "there is no timecode in the upper left corner"
(($(luma "$work/out/video.mp4" 1 320:100:0:40) < 8)) || fail "something is drawn where nothing should be"
sed -i 's/opacity/opacty/' "$work/watermark/pipeline.yaml"
! MILLRACE_PLUGIN_PATH=$work/watermark/build "$millrace" check "$work/watermark/pipeline.yaml" >"$work/check" 2>&1 || fail "a misspelled param passes"
grep -q "did you mean 'opacity'" "$work/check" || fail "a misspelled param is not explained: $(cat "$work/check")"

step "scenes become chapters"
ffmpeg -v error -f lavfi -i color=red:s=320x180:r=25:d=2 -f lavfi -i testsrc2=s=320x180:r=25:d=2 -filter_complex '[0][1]concat=n=2' -c:v libx264 \
    -preset ultrafast "$work/two.mp4"
run scenes "$work/two.mp4" "$work/chapters"
grep -qx '00:00:02.000 --> 00:00:03.960' "$work/chapters/chapters.vtt" || fail "the chapters are $(cat "$work/chapters/chapters.vtt")"

step "a store in memory"
run memory "$work/two.mp4" mem://box
grep -q '"files":1' "$work/memory.out" || fail "nothing was published: $(cat "$work/memory.out" "$work/memory.err")"
grep -q '^back: succeeded' "$work/memory.err" || fail "nothing came back: $(cat "$work/memory.err")"
echo "ok"

# shellcheck shell=bash
# What Millrace needs from the system, and how ./dev gets it. Sourced by ./dev.
#
# Each line: who needs it, how to tell that it is there, the Debian package. Nothing is installed that is there already, from wherever it came.
#   tool NAME: a command; lib NAME: a pkg-config module; header NAME: an include; clang NAME: a file of clang's runtime; file PATH;
#   python NAME: a module of Debian's Python, which is the one that tests use.
packages_table() {
    cat <<'TEXT'
build tool gcc gcc
build tool cmake cmake
build tool ninja ninja-build
build tool pkg-config pkg-config
build tool ccache ccache
build header stdio.h libc6-dev
build header uthash.h uthash-dev
build lib jansson libjansson-dev
build lib yaml-0.1 libyaml-dev
build lib lua5.4 liblua5.4-dev
build lib sqlite3 libsqlite3-dev
build lib libcrypto libssl-dev
build lib libseccomp libseccomp-dev
build lib libcurl libcurl4-openssl-dev
build lib libsodium libsodium-dev
build lib libjwt libjwt-dev
build lib libavformat libavformat-dev
build lib libavcodec libavcodec-dev
build lib libavfilter libavfilter-dev
build lib libavutil libavutil-dev
build lib libswscale libswscale-dev
build lib libswresample libswresample-dev
build lib zimg libzimg-dev
build lib x264 libx264-dev
build file /usr/share/llhttp/llhttp.c node-llhttp
test lib cmocka libcmocka-dev
up tool ffmpeg ffmpeg
up tool curl curl
up tool node nodejs
up tool npm npm
bench tool x264 x264
bench tool openssl openssl
bench file /usr/sbin/nginx nginx
bench tool wrk wrk
test tool ffmpeg ffmpeg
test tool g++ g++
test tool make make
test tool chromium chromium
test tool clang clang
test clang libclang_rt.asan-x86_64.a libclang-rt-dev
test tool llvm-symbolizer llvm
test tool clang-format clang-format
test tool clang-tidy clang-tidy
test file /usr/bin/python3 python3
test python numpy python3-numpy
test tool node nodejs
test tool npm npm
test tool chromium chromium
test tool shellcheck shellcheck
test tool xmllint libxml2-utils
test tool groff groff-base
test tool zsh zsh
test tool fish fish
test file /usr/bin/aws awscli
test tool git git
TEXT
}

has_package() {
    local kind=$1 name=$2
    case $kind in
    tool) command -v "$name" >/dev/null ;;
    file) [[ -e $name ]] ;;
    python) /usr/bin/python3 -c "import $name" 2>/dev/null ;;
    lib) command -v pkg-config >/dev/null && pkg-config --exists "$name" ;;
    header) command -v gcc >/dev/null && printf '#include <%s>\n' "$name" | gcc -E -x c - >/dev/null 2>&1 ;;
    clang)
        command -v clang >/dev/null || return 1
        [[ $(uname -m) == x86_64 ]] || name=${name/x86_64/$(uname -m)}
        [[ -e $(clang -print-file-name="lib/linux/$name") || -e $(clang -print-resource-dir)/lib/linux/$name ]]
        ;;
    esac
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        return 1
    fi
}

apt_install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null; }

# What this system calls itself.
system_name() {
    (
        unset PRETTY_NAME
        # shellcheck source=/dev/null
        source /etc/os-release 2>/dev/null || true
        printf '%s\n' "${PRETTY_NAME:-$(uname -s)}"
    )
}

# packages_ensure GROUP…: installs what is missing for these groups, or says in one sentence what to do
packages_ensure() {
    local group kind name package wanted=() missing=() words
    while read -r group kind name package; do
        [[ " $* " == *" $group "* ]] || continue
        wanted+=("$package")
        has_package "$kind" "$name" || missing+=("$package")
    done < <(packages_table)
    ((${#missing[@]})) || return 0
    if ! command -v apt-get >/dev/null; then
        printf 'dev: this is %s, and it has no apt-get: install what Debian 12 calls %s, then try again\n' "$(system_name)" "${missing[*]}" >&2
        return 1
    fi
    if ! as_root true; then # sudo may ask for a password, or refuse
        printf "dev: packages are missing, and only root can install them: as root, run 'apt-get update && apt-get install --no-install-recommends %s', then try again\n" \
            "${missing[*]}" >&2
        return 1
    fi
    printf 'installing what is missing, which may take some minutes: %s\n' "${missing[*]}"
    words=$(apt_install "${missing[@]}" 2>&1) && return 0
    words=$(as_root apt-get update -q </dev/null 2>&1 || true) # the lists are old or were never read
    words+=$'\n'$(apt_install "${missing[@]}" 2>&1) && return 0
    grep -m 3 '^E: ' <<<"$words" >&2
    printf "dev: apt-get could not install them: above is why (the names are Debian 12's, and this is %s)\n" "$(system_name)" >&2
    return 1
}

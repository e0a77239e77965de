#!/bin/sh
# Installs the spoq command line: curl -sSL <base>/install.sh | bash
#
#   SPOQ_INSTALL_DIR   where to; else /usr/local/bin when it can be written, else ~/.local/bin
#   SPOQ_FORCE=1       put this version in the place of a newer one
#
# Needs no root, curl or wget, and changes no file but the one it installs. What it downloads must have the digest that Spoq signed:
# the signature is verified with minisign or OpenSSL 3; where there is neither, the list of digests must be the one whose own digest
# stands below, which the server wrote there after it had verified the signature itself.
# Everything is in a function that the last line calls, so that half a download does nothing.

spoq_install() {
  set -eu
  base=@BASE_URL@
  version='@VERSION@'
  sums_digest='@SUMS_SHA256@'
  key='@KEY@'
  key_pem='@KEY_PEM@'
  kept='nothing was installed'
  work=
  made_from=

  fail() {
    printf 'spoq: %s; %s\n' "$1" "$kept" >&2
    exit 1
  }

  # Removes what is half done, and the folders that were made for it.
  clean_up() {
    [ -z "$work" ] || rm -rf "$work"
    [ -n "$made_from" ] || return 0
    while [ "$dir" != "$made_from" ] && rmdir "$dir" 2>/dev/null; do dir=$(dirname "$dir"); done
  }

  # True if version $1 comes after $2: the numbers first; of equal ones, that without a preview (1.0.0 after 1.0.0-rc.1).
  is_newer() {
    printf '%s\n%s\n' "$1" "$2" | awk -F '[.-]' '
      { for (i = 1; i <= 3; i++) part[NR, i] = $i + 0; preview[NR] = index($0, "-") > 0 }
      END {
        for (i = 1; i <= 3; i++) if (part[1, i] != part[2, i]) exit !(part[1, i] > part[2, i])
        exit !(preview[2] && !preview[1])
      }'
  }

  verify_with_minisign() {
    comment=$(minisign -V -Q -P "$key" -m "$work/SHA256SUMS" -x "$work/SHA256SUMS.minisig" 2>/dev/null)
  }

  # The signature is one over the BLAKE2b-512 digest of the file; a second one covers the first and the comment.
  verify_with_openssl() {
    printf -- '-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n' "$key_pem" >"$work/key.pem"
    sed -n 2p "$work/SHA256SUMS.minisig" | openssl base64 -d -A 2>/dev/null | tail -c 64 >"$work/signature"
    sed -n 4p "$work/SHA256SUMS.minisig" | openssl base64 -d -A 2>/dev/null >"$work/overall"
    comment=$(sed -n '3s/^trusted comment: //p' "$work/SHA256SUMS.minisig")
    { cat "$work/signature" && printf '%s' "$comment"; } >"$work/commented"
    openssl dgst -blake2b512 -binary -out "$work/digest" "$work/SHA256SUMS" 2>/dev/null &&
      is_signed "$work/digest" "$work/signature" && is_signed "$work/commented" "$work/overall"
  }

  is_signed() {
    openssl pkeyutl -verify -pubin -inkey "$work/key.pem" -rawin -in "$1" -sigfile "$2" >/dev/null 2>&1
  }

  case "$(uname -s)" in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) fail "there is no spoq for $(uname -s) here; on Windows, get $base/releases/spoq-windows-amd64.exe" ;;
  esac
  case "$(uname -m)" in
    x86_64 | amd64) arch=amd64 ;;
    arm64 | aarch64) arch=arm64 ;;
    *) fail "there is no spoq for $(uname -m) processors" ;;
  esac
  name="spoq-$os-$arch"

  talk=-s
  secure=
  case "$base" in https://*) secure=1 ;; esac
  if command -v curl >/dev/null 2>&1; then
    fetch() { curl -fL "$talk" --retry 3 -C - ${secure:+--proto =https --tlsv1.2} -o "$2" "$1"; }
  elif command -v wget >/dev/null 2>&1; then
    once= # GNU's would go on for minutes; busybox's knows no such option and tries once
    case "$(wget --version 2>/dev/null)" in *GNU*) once=1 ;; esac
    fetch() { wget -q -c ${once:+--tries=1} -O "$2" "$1" 2>/dev/null; }
  else
    fail 'needs curl or wget; install one of them and run this again'
  fi
  # get <file> <as>: a download that was cut goes on from where it ended, until two tries in a row bring nothing.
  get() {
    had=0 vain=0
    until fetch "$base/releases/$version/$1" "$work/$2"; do
      has=$(wc -c 2>/dev/null <"$work/$2") || has=0
      if [ "$has" -gt "$had" ]; then vain=0; else vain=$((vain + 1)); fi
      [ "$vain" -lt 2 ] || fail "could not get $1 from $base"
      had=$has
    done
  }
  if command -v sha256sum >/dev/null 2>&1; then
    digest() { sha256sum "$1" | cut -d ' ' -f 1; }
  elif command -v shasum >/dev/null 2>&1; then
    digest() { shasum -a 256 "$1" | cut -d ' ' -f 1; }
  else
    fail 'needs sha256sum or shasum to check what it downloads'
  fi

  if [ -n "${SPOQ_INSTALL_DIR:-}" ]; then
    dir=$SPOQ_INSTALL_DIR
  elif [ -w /usr/local/bin ]; then
    dir=/usr/local/bin
  elif [ -n "${HOME:-}" ]; then
    dir=$HOME/.local/bin
  else
    fail 'HOME is not set; set SPOQ_INSTALL_DIR to a folder that you can write to'
  fi

  present=
  if [ -e "$dir/spoq" ]; then
    kept="$dir/spoq was left as it was"
    present=$("$dir/spoq" --version 2>/dev/null) || present='one that does not run'
    case "$present" in
      [0-9]*.[0-9]*.[0-9]*)
        if [ "${SPOQ_FORCE:-}" != 1 ] && is_newer "$present" "$version"; then
          fail "spoq $present is installed, which is newer than $version here; set SPOQ_FORCE=1 to go back to it"
        fi
        ;;
    esac
  fi

  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  made_from=$dir
  while [ ! -d "$made_from" ] && [ "$made_from" != "$(dirname "$made_from")" ]; do made_from=$(dirname "$made_from"); done
  mkdir -p "$dir" 2>/dev/null || fail "cannot make the folder $dir; set SPOQ_INSTALL_DIR to one that you can write to"
  # Beside its final place, so that the last step is one rename and an older spoq stays whole until then.
  work=$(mktemp -d "$dir/.spoq-install.XXXXXX" 2>/dev/null) ||
    fail "cannot write to $dir; set SPOQ_INSTALL_DIR to a folder that you can write to"

  printf 'Getting spoq %s for %s-%s from %s\n' "$version" "$os" "$arch" "$base"
  for file in SHA256SUMS SHA256SUMS.minisig; do
    get "$file" "$file"
  done
  if command -v minisign >/dev/null 2>&1; then
    verify_with_minisign || fail "the signature of $version is not Spoq's"
    way='its signature was verified with minisign'
  elif case "$(openssl version 2>/dev/null)" in 'OpenSSL '[3-9].* | 'OpenSSL '[1-9][0-9].*) true ;; *) false ;; esac; then
    verify_with_openssl || fail "the signature of $version is not Spoq's"
    way='its signature was verified with openssl'
  else
    [ "$(digest "$work/SHA256SUMS")" = "$sums_digest" ] || fail "SHA256SUMS is not the one that $base announced"
    comment="version:$version	"
    way="its digest is the one that $base verified (there is no minisign and no OpenSSL 3 here to verify the signature)"
  fi
  case "$comment" in
    *"version:$version	"*) ;;
    *) fail "what $base gives as $version was signed as another version" ;;
  esac

  expected=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$name\$/\1/p" "$work/SHA256SUMS")
  [ -n "$expected" ] || fail "$base has no $name in $version"
  [ ! -t 2 ] || talk=--progress-bar # a hundred megabytes
  get "$name" spoq
  [ "$(digest "$work/spoq")" = "$expected" ] || fail "$name is not what was signed: its digest is another one"
  printf 'Checked: %s\n' "$way"
  chmod 755 "$work/spoq"
  runs=$("$work/spoq" --version 2>&1) || {
    printf '%s\n' "$runs" >&2
    fail "$name does not run on this computer"
  }
  [ "$runs" = "$version" ] || fail "$name calls itself $runs and not $version"
  mv -f "$work/spoq" "$dir/spoq" || fail "cannot replace $dir/spoq"
  made_from=

  if [ -n "$present" ] && [ "$present" != "$version" ]; then
    printf 'Installed %s in place of %s\n' "$dir/spoq" "$present"
  else
    printf 'Installed %s\n' "$dir/spoq"
  fi
  found=$(command -v spoq 2>/dev/null) || found=
  case ":$PATH:" in
    *":$dir:"*)
      [ "$found" = "$dir/spoq" ] || printf 'Mind that %s comes before it on your PATH\n' "$found"
      ;;
    *)
      printf 'It is not on your PATH, which was left as it is. Put it there, now and in your shell'\''s start-up file:\n'
      # shellcheck disable=SC2016 # it is the person's shell that expands it
      case "${SHELL:-}" in
        */fish) printf '  fish_add_path "%s"\n' "$dir" ;;
        *) printf '  export PATH="%s:$PATH"\n' "$dir" ;;
      esac
      ;;
  esac
  init='spoq init'
  [ "$base" = https://spoq.dev ] || init="SPOQ_URL=$base spoq init"
  printf "Run '%s' to sign in.\n" "$init"
}

spoq_install

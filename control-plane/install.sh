#!/bin/sh
# Installs the spoq command line: curl -sSL <base>/install.sh | bash
# SPOQ_INSTALL_DIR says where to; else /usr/local/bin when it can be written, else ~/.local/bin.
# Everything is in a function that the last line calls, so that half a download does nothing.

spoq_install() {
  set -eu
  base='@BASE_URL@'

  fail() {
    printf 'spoq: %s\n' "$1" >&2
    exit 1
  }

  case "$(uname -s)" in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) fail "there is no spoq for $(uname -s) here. On Windows, get $base/releases/spoq-windows-amd64.exe" ;;
  esac
  case "$(uname -m)" in
    x86_64 | amd64) arch=amd64 ;;
    arm64 | aarch64) arch=arm64 ;;
    *) fail "there is no spoq for $(uname -m) processors" ;;
  esac
  name="spoq-$os-$arch"

  if command -v curl >/dev/null 2>&1; then
    fetch() { curl -fsSL --retry 3 -o "$2" "$1"; }
  elif command -v wget >/dev/null 2>&1; then
    fetch() { wget -q -O "$2" "$1"; }
  else
    fail 'needs curl or wget; install one of them and run this again'
  fi
  if command -v sha256sum >/dev/null 2>&1; then
    digest() { sha256sum "$1" | cut -d ' ' -f 1; }
  elif command -v shasum >/dev/null 2>&1; then
    digest() { shasum -a 256 "$1" | cut -d ' ' -f 1; }
  else
    fail 'needs sha256sum or shasum to check what it downloads; nothing was installed'
  fi

  if [ -n "${SPOQ_INSTALL_DIR:-}" ]; then
    dir=$SPOQ_INSTALL_DIR
  elif [ -w /usr/local/bin ]; then
    dir=/usr/local/bin
  else
    dir=$HOME/.local/bin
  fi
  mkdir -p "$dir"
  # Beside its final place, so that the last step is one rename and an older spoq stays whole until then.
  work=$(mktemp -d "$dir/.spoq-install.XXXXXX") || fail "cannot write to $dir; set SPOQ_INSTALL_DIR to another folder"
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM HUP

  printf 'Getting %s from %s\n' "$name" "$base"
  fetch "$base/releases/SHA256SUMS" "$work/SHA256SUMS" || fail "could not get the list of releases from $base; nothing was installed"
  expected=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$name\$/\1/p" "$work/SHA256SUMS")
  [ -n "$expected" ] || fail "$base has no release $name; nothing was installed"
  fetch "$base/releases/$name" "$work/spoq" || fail "could not get $name; nothing was installed"
  [ "$(digest "$work/spoq")" = "$expected" ] || fail "$name is not what its checksum says; nothing was installed. Try again"
  chmod 755 "$work/spoq"
  mv -f "$work/spoq" "$dir/spoq"

  printf 'Installed %s\n' "$dir/spoq"
  case ":$PATH:" in
    *":$dir:"*) ;;
    *)
      printf 'Add it to your PATH, now and in your shell'\''s start-up file:\n'
      printf '  export PATH="%s:$PATH"\n' "$dir"
      ;;
  esac
  init='spoq init'
  [ "$base" = https://spoq.dev ] || init="SPOQ_URL=$base spoq init"
  printf "Run '%s' to sign in.\n" "$init"
}

spoq_install

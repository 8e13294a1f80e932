#!/bin/sh
# Runs the Envoy of one service with Consul tokens that come from logging in with the service's own OAuth access token.
#
#   sidecar-login.sh SERVICE_ID SERVICE_FILE [options of `consul connect envoy`]
#
# Such a token ends. An Envoy whose token has ended, or whose service was registered with one that has, is never told of
# a denial again and looks healthy. So before a token ends this logs in again, registers the service with the new token,
# restarts Envoy with it, and logs the old one out; so it does as soon as the token is gone before its time, as it is once
# the client is disabled or its tokens are to live shorter. Where the login fails Envoy is stopped: a proxy that nobody can
# reach is better than one that nobody can close. The restart cuts the connections that are open.
#
# In the environment:
#   AUTH_METHOD           as `scopemesh explain --client PROVIDER/CLIENT_ID` tells it
#   ACCESS_TOKEN_COMMAND  a command of the shell that prints a fresh access token of the client
#   RENEW_SECONDS         when to renew: two thirds of the lifetime that `scopemesh explain` tells
#   CHECK_SECONDS         how often to see whether the token is still there; 5
#   CONSUL_HTTP_ADDR and the like, as Consul's command line takes them; no CONSUL_HTTP_TOKEN
set -eu
umask 077

if [ "$#" -lt 2 ]; then
  echo "usage: sidecar-login.sh SERVICE_ID SERVICE_FILE [options of consul connect envoy]" >&2
  exit 2
fi
id=$1
file=$2
shift 2
: "${AUTH_METHOD:?}" "${ACCESS_TOKEN_COMMAND:?}" "${RENEW_SECONDS:?}"
: "${CHECK_SECONDS:=5}"
unset CONSUL_HTTP_TOKEN CONSUL_HTTP_TOKEN_FILE

work=$(mktemp -d)
token=''
envoy=''

with_token() {
  secret=$1
  shift
  CONSUL_HTTP_TOKEN_FILE=$secret "$@"
}

stop_envoy() {
  [ -n "$envoy" ] || return 0
  kill -TERM "$envoy" 2>/dev/null || true
  wait "$envoy" 2>/dev/null || true
  envoy=''
}

log_out() {
  [ -n "$1" ] || return 0
  with_token "$1" consul logout >/dev/null 2>&1 || true
  rm -f "$1"
}

clean_up() {
  stop_envoy
  [ -z "$token" ] || with_token "$token" consul services deregister -id="$id" >/dev/null 2>&1 || true
  log_out "$token"
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# Logs in and registers the service; the new token is in the file $1.
renew() {
  sh -c "$ACCESS_TOKEN_COMMAND" >"$work/access" || return 1
  [ -s "$work/access" ] || return 1
  consul login -method="$AUTH_METHOD" -bearer-token-file="$work/access" -token-sink-file="$1" >/dev/null || return 1
  rm -f "$work/access"
  with_token "$1" consul services register "$file" >/dev/null
}

# Whether Consul answers that the token in the file $1 does not exist. No answer proves nothing. A new registration of
# the service would show more, but it would restart the TTL checks.
is_gone() {
  with_token "$1" consul acl token read -self 2>&1 >/dev/null | grep -q 'ACL not found'
}

count=0
renewed_at=0
checked_at=0
while :; do
  now=$(date +%s)
  if [ -n "$token" ] && [ $((now - checked_at)) -ge "$CHECK_SECONDS" ]; then
    checked_at=$now
    if is_gone "$token"; then
      echo "sidecar-login: the token of $id is gone before its time" >&2
      renewed_at=0
    fi
  fi
  age=$((now - renewed_at))
  if [ "$age" -ge "$RENEW_SECONDS" ]; then
    count=$((count + 1))
    fresh=$work/token-$count
    if renew "$fresh"; then
      stop_envoy
      CONSUL_HTTP_TOKEN_FILE=$fresh consul connect envoy -sidecar-for "$id" "$@" &
      envoy=$!
      log_out "$token"
      token=$fresh
      renewed_at=$(date +%s)
      checked_at=$renewed_at
      echo "sidecar-login: $id runs with token $count" >&2
    else
      [ ! -f "$fresh" ] || log_out "$fresh"
      echo "sidecar-login: $id could not renew its token" >&2
      # Two thirds of a token's life and half of that again is all of it.
      if [ "$age" -ge $((RENEW_SECONDS * 3 / 2)) ]; then
        echo "sidecar-login: $id has no live token, and its Envoy does not go on" >&2
        exit 1
      fi
    fi
  fi
  if ! kill -0 "$envoy" 2>/dev/null; then
    echo "sidecar-login: the Envoy of $id has ended" >&2
    exit 1
  fi
  sleep 1
done

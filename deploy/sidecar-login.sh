#!/bin/sh
# Runs the Envoy of one service with Consul tokens that come from logging in with the service's own OAuth access token.
#
#   sidecar-login.sh SERVICE_ID SERVICE_FILE [options of `consul connect envoy`]
#
# Such a token ends. If the token of an Envoy has ended, or the token with which its service was registered, Consul sends
# that Envoy no denial any more, and it looks healthy. So before a token ends, or as soon as it is gone, this script logs in
# again, registers the service with the new token, restarts Envoy with it, and logs the old token out. A token is gone before
# its end if the client was disabled or got a shorter lifetime. If the login fails, the script stops Envoy: a service that
# cannot be reached is better than one that cannot be closed. Each restart cuts the open connections.
#
# In the environment:
#   AUTH_METHOD           as `scopemesh explain --client PROVIDER/CLIENT_ID` prints it
#   ACCESS_TOKEN_COMMAND  a command of the shell that prints a fresh access token of the client
#   RENEW_SECONDS         when to renew: two thirds of the lifetime that `scopemesh explain` prints
#   CHECK_SECONDS         how often to check whether the token still exists; 5
#   CONSUL_HTTP_ADDR and the other variables of Consul's command line; no CONSUL_HTTP_TOKEN
set -eu
umask 077

if [ "$#" -lt 2 ]; then
  echo "usage: sidecar-login.sh SERVICE_ID SERVICE_FILE [options of consul connect envoy]" >&2
  exit 2
fi
id=$1
file=$2
shift 2
: "${CHECK_SECONDS:=5}"
unset CONSUL_HTTP_TOKEN CONSUL_HTTP_TOKEN_FILE

say() { echo "sidecar-login: $*" >&2; }
refuse() { say "$*"; exit 2; }

[ -n "${AUTH_METHOD:-}" ] || refuse "set AUTH_METHOD to what 'scopemesh explain --client PROVIDER/CLIENT_ID' prints"
[ -n "${ACCESS_TOKEN_COMMAND:-}" ] || refuse "set ACCESS_TOKEN_COMMAND to a command that prints an access token of the client"
case "${RENEW_SECONDS:-}" in
  '' | *[!0-9]*) refuse "set RENEW_SECONDS to a number: two thirds of the lifetime that 'scopemesh explain' prints" ;;
esac
[ -r "$file" ] || refuse "$file cannot be read; it must have the registration of $id"
command -v consul >/dev/null || refuse "there is no consul on the PATH; install the Consul command line"
admin=localhost:19000
binary=envoy
previous=''
for each in "$@"; do
  case "$previous" in
    -envoy-binary | --envoy-binary) binary=$each ;;
    -admin-bind | --admin-bind) admin=$each ;;
  esac
  case "$each" in
    --) break ;;
    -envoy-binary=* | --envoy-binary=*) binary=${each#*=} ;;
    -admin-bind=* | --admin-bind=*) admin=${each#*=} ;;
  esac
  previous=$each
done
command -v "$binary" >/dev/null || refuse "there is no Envoy at '$binary'; install Envoy, or name it with -envoy-binary PATH"

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

# Logs in and registers the service; the new token is in the file $1. The commands print their own errors before these lines.
renew() {
  if ! sh -c "$ACCESS_TOKEN_COMMAND" >"$work/access"; then
    say "ACCESS_TOKEN_COMMAND failed: check that the identity provider answers, and the secret of the client"
    return 1
  fi
  if ! [ -s "$work/access" ]; then
    say "ACCESS_TOKEN_COMMAND printed no token: run it by hand, and check that the identity provider answers"
    return 1
  fi
  if ! consul login -method="$AUTH_METHOD" -bearer-token-file="$work/access" -token-sink-file="$1" >/dev/null; then
    say "the login by $AUTH_METHOD failed: if Consul answers, 'scopemesh explain --client PROVIDER/CLIENT_ID' says whether the client may log in, and with which audience"
    return 1
  fi
  rm -f "$work/access"
  if ! with_token "$1" consul services register "$file" >/dev/null; then
    say "the registration of $id failed: $file must be about a service as which the client may log in ('scopemesh explain --client PROVIDER/CLIENT_ID')"
    return 1
  fi
}

# An Envoy that does not reach Consul's gRPC port runs, and has no listeners.
check_connection() {
  command -v curl >/dev/null || return 0
  stats=$(curl -s -m 2 "http://$admin/stats?filter=control_plane.connected_state") || return 0
  case "$stats" in
    *connected_state:\ 0*) say "the Envoy of $id has no connection to Consul: check that the agent has a gRPC port (ports.grpc, 8502), and name it with -grpc-addr HOST:PORT" ;;
  esac
}

# Whether Consul answers that the token in the file $1 does not exist. No answer proves nothing. A new registration of
# the service would show more, but it would restart the TTL checks.
is_gone() {
  with_token "$1" consul acl token read -self 2>&1 >/dev/null | grep -q 'ACL not found'
}

say "logs in by $AUTH_METHOD, registers $id and starts its Envoy"

# The pause after a failed renewal: an identity provider may limit or lock a client that asks every second.
pause=$((RENEW_SECONDS / 20))
[ "$pause" -le 60 ] || pause=60
count=0
renewed_at=0
retry_at=0
checked_at=0
# Whether this Envoy's connection to Consul was checked: it has 10 seconds for it.
is_checked=''
while :; do
  now=$(date +%s)
  if [ -n "$token" ] && [ $((now - checked_at)) -ge "$CHECK_SECONDS" ]; then
    checked_at=$now
    if is_gone "$token"; then
      say "the token of $id is gone before its end: the client may be disabled, or its tokens live shorter now"
      renewed_at=0
    fi
  fi
  age=$((now - renewed_at))
  # Two thirds of a token's life and half of that again is all of it. Then one last try is due.
  is_over=''
  [ "$age" -lt $((RENEW_SECONDS * 3 / 2)) ] || is_over=yes
  if [ -n "$is_over" ] || { [ "$age" -ge "$RENEW_SECONDS" ] && [ "$now" -ge "$retry_at" ]; }; then
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
      is_checked=''
      say "$id runs with token $count"
    else
      [ ! -f "$fresh" ] || log_out "$fresh"
      if [ -n "$is_over" ]; then
        say "$id has no live token, so its Envoy stops; correct what the lines above say, and start this script again"
        exit 1
      fi
      retry_at=$(($(date +%s) + pause))
      say "$id could not renew its token, and tries again in $pause seconds"
    fi
  fi
  if ! kill -0 "$envoy" 2>/dev/null; then
    say "the Envoy of $id has ended; its own lines above say why"
    exit 1
  fi
  if [ -z "$is_checked" ] && [ $(($(date +%s) - renewed_at)) -ge 10 ]; then
    is_checked=yes
    check_connection
  fi
  sleep 1
done

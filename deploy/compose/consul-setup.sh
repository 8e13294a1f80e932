#!/bin/sh
# Gives scopemesh its token in Consul, with the least that it needs, and registers two services to try with.
# Repeating it changes nothing. Needs CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN and SCOPEMESH_CONSUL_TOKEN.
set -eu

rules='
service_prefix "" { policy = "read" intentions = "write" }
node_prefix "" { policy = "read" }
agent_prefix "" { policy = "read" }
key_prefix "scopemesh/trying/" { policy = "write" }
session_prefix "" { policy = "write" }
'

if ! consul acl policy read -name scopemesh > /dev/null 2>&1; then
  printf '%s' "$rules" | consul acl policy create -name scopemesh -rules -
fi
if ! consul acl token read -self -token "$SCOPEMESH_CONSUL_TOKEN" > /dev/null 2>&1; then
  consul acl token create -description scopemesh -policy-name scopemesh -secret "$SCOPEMESH_CONSUL_TOKEN" > /dev/null
fi

printf 'Kind = "service-defaults"\nName = "orders"\nProtocol = "http"\n' | consul config write -
consul services register -name orders -port 9001
consul services register -name web -port 9002 -meta oauth-client-id=web-app
echo 'Consul is set up'

# What the token of scopemesh needs besides consul-policy.hcl where the configuration gives out Consul tokens: with
# `login: on`, with `groups:`, and with `acl:` under a scope. Without those leave it out.
#   consul acl policy create -name scopemesh-acl -rules @deploy/consul-policy-acl.hcl
#   consul acl token create -description scopemesh -policy-name scopemesh -policy-name scopemesh-acl

# Policies, roles, auth methods, binding rules, and the tokens of their logins. A holder of this token can grant itself
# everything: protect it like the management token.
acl = "write"

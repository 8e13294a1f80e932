#!/usr/bin/env bash
# Copies Consul 1.16.1 (MPL-2.0) into this folder, without its optional Envoy extensions and without `consul troubleshoot`,
# because modules that they need cannot be verified: their go.sum lines are in no checksum database. The other changes are
# what the versions of the remaining modules need. Say so wherever a figure comes from it.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# The checksum database verifies both.
go mod download github.com/hashicorp/consul@v1.16.1 github.com/hashicorp/consul/envoyextensions@v0.2.1
modules="$(go env GOMODCACHE)/github.com/hashicorp"
cp -r "$modules/consul@v1.16.1" src
cp -r "$modules/consul/envoyextensions@v0.2.1" ext
chmod -R u+w src ext
head -3 src/LICENSE | grep -q 'Mozilla Public License' || { echo 'this Consul is not under the MPL' >&2; exit 1; }

rm -rf src/agent/envoyextensions/builtin src/command/troubleshoot/{proxy,upstreams} src/{test,ui,website}
find src -name '*_test.go' -delete
sed -i '/troubleshoot\/proxy"/d; /troubleshoot\/upstreams"/d; /troubleshoot proxy/d; /troubleshoot upstreams/d' src/command/registry.go
cp "$here/shim.go.txt" ext/xdscommon/shim.go
cp "$here/registered_extensions.go.txt" src/agent/envoyextensions/registered_extensions.go
cp "$here/runtime_config.go.txt" src/agent/xds/extensionruntime/runtime_config.go
python3 - <<'PYTHON'
import re

def edit(path, change):
    with open(path) as file: text = file.read()
    changed = change(text)
    if changed == text: raise SystemExit(f'{path} is not as expected')
    with open(path, 'w') as file: file.write(changed)

edit('src/go.mod', lambda text: re.sub(r'replace \(\n(.*?)\)\n', '', text, count=1, flags=re.S)
    .replace('envoyextensions v0.4.1', 'envoyextensions v0.2.1')
    .replace('\n\tgithub.com/hashicorp/consul/troubleshoot v0.3.1', ''))
edit('src/agent/hcp/client/telemetry_config.go', lambda text: text
    .replace('\tif resp.Payload.RefreshConfig == nil {\n\t\treturn errMissingRefreshConfig\n\t}\n\n', '')
    .replace('time.ParseDuration(resp.Payload.RefreshConfig.RefreshInterval)', 'time.ParseDuration("1h")'))
edit('src/agent/xds/delta.go', lambda text: text
    .replace('\tif !extender.CanApply(runtimeConfig) {\n\t\treturn resources, nil\n\t}\n\n', '')
    .replace('extender.Extend(xdscommon.Clone(resources), runtimeConfig)', 'extender.Extend(resources, runtimeConfig)'))
PYTHON

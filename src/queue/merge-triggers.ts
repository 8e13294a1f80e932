import { groupBy } from '../model/group-by.js';
import { formatKey, type Key } from '../model/key.js';
import type { Trigger } from '../model/trigger.js';

/**
 * One list of triggers, oldest first, without duplicates. Triggers without evidence and order are equal if they have
 * the same kind of cause and the same flags. Of equal ones the oldest stays, as urgent as the others.
 */
export function mergeTriggers(known: readonly Trigger[], added: readonly Trigger[]): readonly Trigger[] {
  if (known.length === 0 && added.length <= 1) return added;
  const merged = new Map<string, Trigger>();
  for (const trigger of [...known, ...added]) {
    const text = textOf(trigger);
    const before = merged.get(text);
    if (before === undefined) merged.set(text, trigger);
    else if ((trigger.urgent && !before.urgent) || (trigger.loses && !before.loses))
      merged.set(text, {
        ...before,
        ...(trigger.urgent || before.urgent ? { urgent: true } : {}),
        ...(trigger.loses || before.loses ? { loses: true } : {}),
      });
  }
  return [...merged.values()];
}

/** After a takeover one destination gets thousands of notes: to merge them one by one blocks for minutes. */
export function byKey(
  triggers: readonly Trigger[],
): Iterable<{ readonly key: Key; readonly triggers: readonly Trigger[] }> {
  return [...groupBy(triggers, ({ key }) => formatKey(key)).values()].flatMap((all) => {
    const [first] = all;
    return first === undefined ? [] : [{ key: first.key, triggers: all }];
  });
}

function textOf({ cause, evidence = [], order, fullRead, members, isRecheck, client }: Trigger): string {
  return JSON.stringify([
    cause.kind,
    cause.principal ?? null,
    evidence,
    order ?? null,
    fullRead ?? false,
    members ?? false,
    isRecheck ?? false,
    client ?? null,
  ]);
}

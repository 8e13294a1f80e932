import type { WebhookStore } from './webhook-state.js';

/**
 * Asks the process that delivers to send now what it gave up or waits for: the event that fails, and dead letters; only those
 * with these IDs, or all. All: also enables a webhook that its receiver disabled. Resolves with the IDs that are there.
 */
export async function requestRetry(
  store: WebhookStore,
  only: readonly string[] | undefined,
): Promise<readonly string[]> {
  const dead = (await store.deadLetters()).map(({ id }) => id);
  const selected = only === undefined ? dead : dead.filter((id) => only.includes(id));
  const found = [...selected];
  await store.update((state) => {
    const { asked, disabledAt, failing, ...rest } = state;
    const isHead = failing !== undefined && (only === undefined || only.includes(failing.id));
    found.splice(0, found.length, ...(isHead ? [failing.id] : []), ...selected);
    const isNothing = selected.length === 0 && !isHead && (only !== undefined || disabledAt === undefined);
    if (isNothing) return state;
    const ids = [...new Set([...(asked?.ids ?? []), ...selected])];
    return {
      ...rest,
      failing,
      disabledAt: only === undefined ? undefined : disabledAt,
      asked: { ...asked, ids, ...(isHead ? { retry: true } : {}) },
    };
  });
  return found;
}

/** Forgets a dead letter, or asks to go on without the event that fails. False if it is neither. */
export async function dropEvent(store: WebhookStore, id: string): Promise<boolean> {
  if (await store.forget(id)) return true;
  const { failing } = await store.update((state) =>
    state.failing?.id === id ? { ...state, asked: { ids: [], ...state.asked, drop: id } } : state,
  );
  return failing?.id === id;
}

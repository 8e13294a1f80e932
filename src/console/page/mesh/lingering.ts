import { useEffect, useRef, useState } from 'preact/hooks';

export type Shown<T> = T & { readonly motion?: 'fresh' | 'going' };

/** What goes stays so long, struck through. */
const GOING_MS = 2_000;

/** The things of a picture. New things are marked, and a thing that has gone stays for two seconds. */
export function useLingering<T extends { readonly id: string }>(
  things: readonly T[],
  /** Another picture has other things, and none of them came or went. */
  picture: string,
): readonly Shown<T>[] {
  const before = useRef<{
    picture: string;
    things: readonly T[];
    fresh: ReadonlySet<string>;
    going: readonly T[];
  }>(undefined);
  const [, setTurn] = useState(0);
  const last = before.current;
  if (last === undefined || last.picture !== picture)
    before.current = { picture, things, fresh: new Set(), going: [] };
  else if (last.things !== things) {
    const known = new Set(last.things.map(({ id }) => id));
    const here = new Set(things.map(({ id }) => id));
    const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const gone = isStill ? [] : last.things.filter(({ id }) => !here.has(id));
    before.current = {
      picture,
      things,
      fresh: new Set([...here].filter((id) => !known.has(id))),
      going: [...last.going.filter(({ id }) => !here.has(id)), ...gone],
    };
  }
  const { going = [], fresh = new Set<string>() } = before.current ?? {};
  const isGoing = going.length > 0;
  useEffect(() => {
    if (!isGoing) return;
    const timer = setTimeout(() => {
      if (before.current !== undefined) before.current = { ...before.current, going: [] };
      setTurn((turn) => turn + 1);
    }, GOING_MS);
    return () => clearTimeout(timer);
  }, [going, isGoing]);
  return [
    ...going.map((each) => ({ ...each, motion: 'going' as const })),
    ...things.map((each) => (fresh.has(each.id) ? { ...each, motion: 'fresh' as const } : each)),
  ];
}

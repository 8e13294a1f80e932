/**
 * Gives the page and the icon of its tab the colour of an instance, which follows from its name, so that nobody takes
 * production for staging.
 */
export function showInstance(name: string): void {
  const hue = hueOf(name);
  document.documentElement.style.setProperty('--hue', String(hue));
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="oklch(55% .17 ${hue})"/><path d="M4 5.500h5l-2-2M12 10.500H7l2 2" fill="none" stroke="#fff" stroke-width="1.800"/></svg>`;
  document
    .querySelector('link[rel=icon]')
    ?.setAttribute('href', `data:image/svg+xml,${encodeURIComponent(svg)}`);
}

/** Far apart for names that differ. */
function hueOf(name: string): number {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 100_003;
  return Math.round((sum * 137.508) % 360);
}

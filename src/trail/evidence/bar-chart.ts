import { escapeHtml } from './text.js';

interface Bar {
  readonly label: string;
  readonly value: number;
  /** Where the bar leads. */
  readonly href?: string;
}

const ROW = 24;
const LETTER = 6.6;
const BARS = 350;
const NUMBER = 60;

/** Horizontal bars as inline SVG, readable in black and white, with a text for those who do not see them. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const most = Math.max(1, ...bars.map(({ value }) => value));
  const labelWidth = Math.round(Math.max(...bars.map(({ label }) => label.length)) * LETTER) + 8;
  const fullWidth = labelWidth + BARS + NUMBER;
  const rows = bars.map(({ label, value, href }, index) => {
    const y = index * ROW;
    const width = Math.round((value / most) * BARS);
    const bar =
      `<text x="${labelWidth - 8}" y="${y + 16}" text-anchor="end">${escapeHtml(label)}</text>` +
      `<rect x="${labelWidth}" y="${y + 4}" width="${width}" height="${ROW - 8}"/>` +
      `<text x="${labelWidth + width + 6}" y="${y + 16}">${value}</text>`;
    return href === undefined ? bar : `<a href="${escapeHtml(href)}">${bar}</a>`;
  });
  return (
    `<figure><svg role="img" aria-label="${escapeHtml(title)}" viewBox="0 0 ${fullWidth} ${bars.length * ROW}" ` +
    `width="${fullWidth}" height="${bars.length * ROW}">${rows.join('')}</svg><figcaption>${escapeHtml(title)}</figcaption></figure>`
  );
}

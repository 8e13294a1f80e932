/** For the screen and for print. No other file is needed. */
export const STYLE = `
:root { color-scheme: light; font: 14px/1.45 system-ui, sans-serif; color: #1b2430; }
body { margin: 2rem auto; max-width: 1100px; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .4rem; border-bottom: 2px solid #1b2430; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
a { color: #0b4f9e; text-decoration: none; } a:hover { text-decoration: underline; }
.figures { display: grid; grid-template-columns: repeat(5, 1fr); gap: .6rem; margin-top: 1.2rem; }
.figures a { border: 1px solid #c6ccd4; border-radius: 6px; padding: .6rem; color: #4a5563; }
.figures b { display: block; font-size: 1.4rem; color: #1b2430; }
table { border-collapse: collapse; width: 100%; font-size: 12px; margin: .4rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem .25rem 0; border-bottom: 1px solid #dde1e6; overflow-wrap: break-word; max-width: 22rem; }
.long { overflow-wrap: anywhere; } code { display: inline-block; max-width: 100%; overflow-wrap: anywhere; }
th { color: #4a5563; font-weight: 600; white-space: nowrap; } code { font: 11px ui-monospace, monospace; }
tr:target { background: #fff3c4; } .none { color: #4a5563; } .good { color: #11682f; font-weight: 600; } .bad { color: #a3161b; font-weight: 600; }
figure { margin: .8rem 0; } figcaption { font-size: 12px; color: #4a5563; } svg { max-width: 100%; height: auto; font: 12px system-ui, sans-serif; }
rect { fill: #2f6fb5; }
@page { size: A4 landscape; margin: 12mm; }
@media print { body { margin: 0; max-width: none; } thead { display: table-header-group; } tr, figure { break-inside: avoid; } h2, h3 { break-after: avoid; } }
`;

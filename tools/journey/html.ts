/** A form of a page, as a browser would send it. */
export interface HtmlForm {
  /** As written; empty for the page's own address. */
  action: string;
  method: 'GET' | 'POST';
  fields: Record<string, string>;
  buttons: { name: string; value: string; text: string }[];
}

/** The forms of a page of ours. Good for markup that our own templates write, not for the web at large. */
export function parseForms(html: string): HtmlForm[] {
  return [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map(([, head = '', body = '']) => {
    const fields: Record<string, string> = {};
    for (const [, attributes = ''] of body.matchAll(/<input\b([^>]*)>/g)) {
      const name = readAttribute(attributes, 'name');
      const type = readAttribute(attributes, 'type') ?? 'text';
      if (name === undefined || ((type === 'radio' || type === 'checkbox') && !/\bchecked\b/.test(attributes)))
        continue;
      fields[name] = readAttribute(attributes, 'value') ?? '';
    }
    for (const [, attributes = '', options = ''] of body.matchAll(/<select\b([^>]*)>([\s\S]*?)<\/select>/g)) {
      const name = readAttribute(attributes, 'name');
      const all = [...options.matchAll(/<option\b([^>]*)>/g)].map(([, text = '']) => text);
      const chosen = all.find((text) => /\bselected\b/.test(text)) ?? all[0];
      if (name !== undefined && chosen !== undefined) fields[name] = readAttribute(chosen, 'value') ?? '';
    }
    const buttons = [...body.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/g)].map(
      ([, attributes = '', text = '']) => ({
        name: readAttribute(attributes, 'name') ?? '',
        value: readAttribute(attributes, 'value') ?? '',
        text: toText(text),
      }),
    );
    const method = readAttribute(head, 'method')?.toUpperCase() === 'POST' ? 'POST' : 'GET';
    return { action: readAttribute(head, 'action') ?? '', method, fields, buttons };
  });
}

/** What a person reads of a page: no tags, no scripts, single spaces. */
export function toText(html: string): string {
  const plain = html.replaceAll(/<(script|style)\b[\s\S]*?<\/\1>/g, ' ').replaceAll(/<[^>]+>/g, ' ');
  return decodeEntities(plain).replaceAll(/\s+/g, ' ').trim();
}

function readAttribute(text: string, name: string): string | undefined {
  const found = new RegExp(String.raw`(?:^|\s)${name}\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))`).exec(text);
  return found === null ? undefined : decodeEntities(found[1] ?? found[2] ?? found[3] ?? '');
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

function decodeEntities(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (all, decimal: string, hex: string, name: string) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    return ENTITIES[name.toLowerCase()] ?? all;
  });
}

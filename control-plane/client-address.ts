import { BlockList, isIP } from 'node:net';

/** An address, or a range as `10.0.0.0/8`. */
const RANGE = /^([^/\s]+)(?:\/(\d{1,3}))?$/;

/**
 * Reads a list of proxies, `10.0.0.0/8, ::1`.
 * @throws Error that names the entry which is neither an address nor a range
 */
export function parseProxies(text: string): string[] {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  for (const entry of entries) addRange(new BlockList(), entry);
  return entries;
}

/**
 * Who sent a request. `X-Forwarded-For` grows to the right, each proxy appending whom it was called by: so it is read from the
 * right, and only as far as trusted proxies wrote it. What a peer that isn't one of `proxies` says is ignored, and an entry that
 * is no address ends the walk at the proxy that wrote it.
 */
export function createAddressFinder(proxies: readonly string[]): (peer: string, forwardedFor: string) => string {
  const trusted = new BlockList();
  for (const entry of proxies) addRange(trusted, entry);
  const isTrusted = (address: string) => trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return (peer, forwardedFor) => {
    let address = toPlainAddress(peer);
    if (forwardedFor === '' || address === undefined) return address ?? peer;
    for (const entry of forwardedFor.split(',').toReversed()) {
      const next = toPlainAddress(entry);
      if (!isTrusted(address) || next === undefined) break;
      address = next;
    }
    return address;
  };
}

function addRange(list: BlockList, entry: string): void {
  const [, address = '', bits] = RANGE.exec(entry) ?? [];
  const family = isIP(address);
  const most = family === 6 ? 128 : 32;
  if (family === 0 || Number(bits ?? 0) > most) throw new Error(`${entry} is neither an address nor a range`);
  list.addSubnet(address, Number(bits ?? most), family === 6 ? 'ipv6' : 'ipv4');
}

/** Without the port that some proxies write, a zone, and the `::ffff:` of an IPv4 address on an IPv6 socket. */
function toPlainAddress(text: string): string | undefined {
  const [, inBrackets, withPort] = /^(?:\[([^\]]+)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/.exec(text.trim()) ?? [];
  const [bare = ''] = (inBrackets ?? withPort ?? text.trim()).split('%', 1);
  const address = bare.replace(/^::ffff:(?=\d+\.)/i, '');
  return isIP(address) === 0 ? undefined : address;
}

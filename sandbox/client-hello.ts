/** The first bytes of a TLS connection: `name` when they tell whom it is for, 'more' when there are too few yet. */
export type ClientHello = { name: string } | 'more' | 'none';

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** RFC 8446 §5.1: a record holds at most 2^14 bytes; real ones of this kind are below 2 kB. */
const LONGEST = 5 + 2 ** 14;

/** Reads the server name out of a ClientHello (RFC 8446 §4.1.2, RFC 6066 §3). */
export function parseClientHello(bytes: Buffer): ClientHello {
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE) return 'none';
  if (bytes.length < 5) return 'more';
  const length = bytes.readUInt16BE(3);
  if (bytes.length < 5 + length) return bytes.length < LONGEST ? 'more' : 'none';
  try {
    return readHello(bytes.subarray(5, 5 + length));
  } catch (error) {
    if (error instanceof RangeError) return 'none'; // it says it is longer than it is
    throw error;
  }
}

function readHello(hello: Buffer): ClientHello {
  if (hello.readUInt8(0) !== CLIENT_HELLO) return 'none';
  let at = 4 + 2 + 32; // type and length, version, random
  at += 1 + hello.readUInt8(at); // session id
  at += 2 + hello.readUInt16BE(at); // cipher suites
  at += 1 + hello.readUInt8(at); // compression methods
  const end = at + 2 + hello.readUInt16BE(at);
  for (at += 2; at < end;) {
    const [type, length] = [hello.readUInt16BE(at), hello.readUInt16BE(at + 2)];
    if (type === SERVER_NAME && hello.readUInt8(at + 6) === HOST_NAME) {
      const nameLength = hello.readUInt16BE(at + 7);
      return { name: hello.toString('latin1', at + 9, at + 9 + nameLength).toLowerCase() };
    }
    at += 4 + length;
  }
  return 'none';
}

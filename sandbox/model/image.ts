/** What an image's own header says. */
export interface ReadImage {
  media_type: 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp';
  width: number;
  height: number;
  bytes: number;
}

type Size = Pick<ReadImage, 'width' | 'height'>;

/** Reads type and size from an image's header. Undefined for what is none of the four types, or ends too early. */
export function readImage(data: Buffer): ReadImage | undefined {
  try {
    return read(data);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // the header ends before its fields do
    throw error;
  }
}

function read(data: Buffer): ReadImage | undefined {
  const describe = (media_type: ReadImage['media_type'], size: Size | undefined): ReadImage | undefined =>
    size !== undefined && size.width > 0 && size.height > 0 ? { media_type, ...size, bytes: data.length } : undefined;
  if (data.subarray(0, 8).equals(PNG)) {
    return describe('image/png', { width: data.readUInt32BE(16), height: data.readUInt32BE(20) });
  }
  if (/^GIF8[79]a$/.test(data.toString('latin1', 0, 6))) {
    return describe('image/gif', { width: data.readUInt16LE(6), height: data.readUInt16LE(8) });
  }
  if (data.length > 2 && data.readUInt16BE(0) === 0xff_d8) return describe('image/jpeg', readJpeg(data));
  if (data.toString('latin1', 0, 4) === 'RIFF' && data.toString('latin1', 8, 12) === 'WEBP') {
    return describe('image/webp', readWebp(data));
  }
  return undefined;
}

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Walks the segments to the start of a frame (SOF0…SOF15 without DHT, JPG and DAC: ITU T.81, table B.1). */
function readJpeg(data: Buffer): Size | undefined {
  let at = 2;
  for (;;) {
    while (data.readUInt8(at) === 0xff && data.readUInt8(at + 1) === 0xff) at += 1; // fill bytes
    if (data.readUInt8(at) !== 0xff) return undefined;
    const marker = data.readUInt8(at + 1);
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { height: data.readUInt16BE(at + 5), width: data.readUInt16BE(at + 7) };
    }
    at += 2 + data.readUInt16BE(at + 2);
  }
}

/** The three kinds of WebP (RFC 9649): lossy, lossless and extended. */
function readWebp(data: Buffer): Size | undefined {
  switch (data.toString('latin1', 12, 16)) {
    case 'VP8 ':
      return { width: data.readUInt16LE(26) & 0x3f_ff, height: data.readUInt16LE(28) & 0x3f_ff };
    case 'VP8L': {
      const bits = data.readUInt32LE(21);
      return { width: (bits & 0x3f_ff) + 1, height: ((bits >>> 14) & 0x3f_ff) + 1 };
    }
    case 'VP8X':
      return { width: data.readUIntLE(24, 3) + 1, height: data.readUIntLE(27, 3) + 1 };
    default:
      return undefined;
  }
}

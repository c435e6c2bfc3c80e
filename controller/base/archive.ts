/** Packs small files into a tar archive (ustar), the form in which a job travels to its host; pure. */

export interface ArchiveFile {
  /** Relative, at most 100 ASCII characters. */
  readonly path: string;
  readonly content: string | Uint8Array;
}

const block = 512;

/** The archive's bytes. Modes and owners are the receiver's business: every file is 0600. */
export function packArchive(files: readonly ArchiveFile[]): Uint8Array {
  const parts = files.flatMap(({ path, content }) => {
    const body = Buffer.from(content);
    return [archiveHeader(path, body.length), body, Buffer.alloc((block - (body.length % block)) % block)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

function archiveHeader(path: string, size: number): Buffer {
  if (path.length > 100) throw new RangeError(`'${path}' is longer than 100 characters`);
  const bytes = Buffer.alloc(block);
  bytes.write(path, 0, 'ascii');
  bytes.write('0000600\0', 100, 'ascii');
  bytes.write('0000000\0', 108, 'ascii');
  bytes.write('0000000\0', 116, 'ascii');
  bytes.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'ascii');
  bytes.write('00000000000\0', 136, 'ascii');
  bytes.write('0', 156, 'ascii');
  bytes.write('ustar\u000000', 257, 'ascii');
  // The checksum is computed with its own field full of spaces.
  bytes.write('        ', 148, 'ascii');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return bytes;
}

package xla

import (
	"encoding/binary"
	"errors"
)

// fields calls f for the fields of a protocol buffer: their numbers, and the content of those that have
// a length.
func fields(b []byte, f func(number int, content []byte)) error {
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return errors.New("no protocol buffer")
		}
		b = b[n:]
		switch key & 7 {
		case 0:
			if _, n = binary.Uvarint(b); n <= 0 {
				return errors.New("a number is cut off")
			}
		case 1:
			n = 8
		case 5:
			n = 4
		case 2:
			size, at := binary.Uvarint(b)
			if at <= 0 || size > uint64(len(b)-at) {
				return errors.New("content is cut off")
			}
			f(int(key>>3), b[at:at+int(size)])
			n = at + int(size)
		default:
			return errors.New("a kind of field that is not known")
		}
		if n > len(b) {
			return errors.New("a field is cut off")
		}
		b = b[n:]
	}
	return nil
}

// instruction is what the checks read of HloInstructionProto.
type instruction struct {
	name, opcode, target, config string
	computation                  string
}

// instructions lists those of a HloModuleProtoWithConfig, or HloModuleProto.
func instructions(program []byte, format string) (out []instruction, err error) {
	module := program
	if format == "hlo_with_config" {
		err = fields(program, func(n int, content []byte) {
			if n == 1 {
				module = content
			}
		})
	}
	keep := func(e error) { err = errors.Join(err, e) }
	keep(fields(module, func(n int, computation []byte) {
		if n != 3 {
			return
		}
		var of string
		keep(fields(computation, func(n int, content []byte) {
			switch n {
			case 1:
				of = string(content)
			case 2:
				i := instruction{computation: of}
				keep(fields(content, func(n int, content []byte) {
					switch n {
					case 1:
						i.name = string(content)
					case 2:
						i.opcode = string(content)
					case 28:
						i.target = string(content)
					case 43:
						i.config = string(content)
					}
				}))
				out = append(out, i)
			}
		}))
	}))
	return out, err
}

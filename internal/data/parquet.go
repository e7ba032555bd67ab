package data

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// readParquet yields the values of the column "text", row group by row group and page
// by page. The library panics on some damaged files.
func readParquet(f *os.File, yield func(document) bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged parquet file: %v", p)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := checkFooter(f, info.Size()); err != nil {
		return err
	}
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	column, ok := file.Schema().Lookup("text")
	if !ok || column.Node.Type().Kind() != parquet.ByteArray {
		return errors.New(`no column "text" of strings`)
	}
	for _, group := range file.RowGroups() {
		if err := readColumn(group.ColumnChunks()[column.ColumnIndex], yield); err != nil {
			return err
		}
	}
	return nil
}

func readColumn(chunk parquet.ColumnChunk, yield func(document) bool) error {
	pages := chunk.Pages()
	defer pages.Close()
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = readPage(page.Values(), yield)
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
}

func readPage(values parquet.ValueReader, yield func(document) bool) error {
	buf := make([]parquet.Value, 64)
	for {
		n, err := values.ReadValues(buf)
		for _, v := range buf[:n] {
			d := document{text: append([]byte(nil), v.ByteArray()...)}
			if v.IsNull() {
				d = document{skip: skipNull}
			} else if !utf8.Valid(d.text) {
				d.skip = skipInvalid
			}
			if !yield(d) {
				return errStopped
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

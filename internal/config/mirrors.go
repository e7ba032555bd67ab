package config

import (
	"errors"
	"fmt"
	"strings"

	"templar/internal/store"
	"templar/internal/strictjson"
	"templar/internal/userfile"
)

// bucketList is the original's way to name several buckets that hold the dataset, as JSON.
const bucketList = "R2_DATASET_BUCKET_LIST"

const mirrorsKey = "buckets.dataset_mirrors"

// listedBucket is an element of the list, in the original's form.
type listedBucket struct {
	AccountID   string `json:"account_id"`
	Endpoint    string `json:"endpoint"` // ours, for stores that are not R2
	Name        string `json:"name"`
	Credentials struct {
		Read  listedKey `json:"read"`
		Write listedKey `json:"write"` // not used
	} `json:"credentials"`
}

type listedKey struct {
	ID     string `json:"access_key_id"`
	Secret string `json:"secret_access_key"`
}

// bucketList takes the dataset from R2_DATASET_BUCKET_LIST, which counts more than the
// variables for a single bucket: the first bucket of the list, the others as its mirrors.
func (l *loader) bucketList(environ []string) {
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if name != bucketList || value == "" {
			continue
		}
		list, err := parseBucketList(value)
		if err != nil {
			l.check(fmt.Errorf("%s: %w", bucketList, err))
			continue
		}
		first := list[0]
		l.merge(map[string]any{
			"buckets.dataset.account_id": first.AccountID, "buckets.dataset.endpoint": first.Endpoint, "buckets.dataset.name": first.Name,
			"buckets.dataset.key.id": first.Key.ID, "buckets.dataset.key.secret": string(first.Key.Secret), mirrorsKey: list[1:],
		})
	}
}

// parseBucketList reads the list. Its error quotes nothing: there are secrets in it.
func parseBucketList(text string) ([]Bucket, error) {
	var list []listedBucket
	if strictjson.Config([]byte(text), &list) != nil || len(list) == 0 {
		return nil, errors.New(`want [{"account_id": ..., "name": ..., "credentials": {"read": {"access_key_id": ..., "secret_access_key": ...}}}, ...]`)
	}
	out := make([]Bucket, len(list))
	for i, b := range list {
		read := b.Credentials.Read
		out[i] = Bucket{
			AccountID: userfile.Trim(b.AccountID), Endpoint: userfile.Trim(b.Endpoint), Name: userfile.Trim(b.Name),
			Key: Key{ID: userfile.Trim(read.ID), Secret: store.Secret(userfile.Trim(read.Secret))},
		}
		out[i].resolve()
	}
	return out, nil
}

// resolve fills the endpoint of a bucket that names an account of Cloudflare R2.
func (b *Bucket) resolve() {
	if b.AccountID != "" && b.Endpoint == "" {
		b.Endpoint = fmt.Sprintf(r2Endpoint, b.AccountID)
	}
}

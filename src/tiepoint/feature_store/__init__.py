"""Store: a folder of immutable HDF5 shards, all created with the same settings, on disk or on object storage.

    STORE/settings.json           settings that every record depends on
    STORE/features/<digest>.h5    a shard: a batch of records of this kind
    STORE/matches/<digest>.h5

    store         Store: keys, missing keys, reading, writing
    hdf5_shard    one shard as an HDF5 file
    key_index     shard of each key, in 20 bytes per key
    keys          keys of pairs, compact sets of keys
    storage       storage backends: local folder, object storage
    disk_cache    local cache of remote shards
    records       features and matches as records

A record is a set of named arrays and JSON scalars under one key. A shard is written under a temporary name and renamed
atomically, so readers never see a partial file, and any number of processes may write to one store. Resuming is a set
difference: `missing` returns the keys without a record. All bytes are covered by checksums; a damaged shard is reported
and quarantined, and its keys are missing again.
"""

from tiepoint.feature_store.hdf5_shard import JSONScalar, Record
from tiepoint.feature_store.store import Store, differences

__all__ = ["JSONScalar", "Record", "Store", "differences"]

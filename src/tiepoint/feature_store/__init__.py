"""Store: a folder of immutable HDF5 shards, all made with the same settings; the folder may be on object storage.

    STORE/settings.json           what made everything in it
    STORE/features/<digest>.h5    a shard: some records of this kind
    STORE/matches/<digest>.h5

    store    Store: what is there, what is missing, read, write
    shards   one shard as an HDF5 file
    index    where the record of a key is, in twenty bytes a key
    places   where shards lie: a local folder, or object storage
    cache    what was fetched from there

A record is what is known under one key: arrays, and plain values. A shard is written under a temporary name and takes
its own at once, so a reader never sees half of one, and any number of processes may write to one store. Resuming is
set difference: `missing` says which keys still have no record. All bytes are under a checksum; a damaged shard is
named, set aside, and its keys are missing again.
"""

from tiepoint.feature_store.hdf5_shard import Plain, Record
from tiepoint.feature_store.store import Store, differences

__all__ = ["Plain", "Record", "Store", "differences"]

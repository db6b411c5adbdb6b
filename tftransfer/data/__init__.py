"""Pictures from folders and arrays to batches; augmentation; arrays cached on disk."""

from tftransfer.data.activations import with_activations
from tftransfer.data.augment import Augmentation
from tftransfer.data.augment import augmentation
from tftransfer.data.balanced import balanced_batches
from tftransfer.data.cache import ActivationCache
from tftransfer.data.decode import decode_image
from tftransfer.data.decode import load_images
from tftransfer.data.domains import pair_domains
from tftransfer.data.folders import from_folder
from tftransfer.data.inputs import as_dataset
from tftransfer.data.scan import FolderIndex
from tftransfer.data.scan import scan
from tftransfer.data.source import Source
from tftransfer.data.source import source_of
from tftransfer.data.splitting import stratified_split

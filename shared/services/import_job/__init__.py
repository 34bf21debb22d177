"""Import inventories that other tools exported.

upload       receive the file, through the API or directly into the blob store
import_job   read it in steps and put its resources into the estate
"""

// Everything PolicyCortex runs on: a Flex Consumption function app with a managed identity, and the stores behind it.
// No keys: the app reaches storage, Cosmos DB and the vault by role assignments alone. What it may read and fix on the
// estate is granted by estate/main.bicep, once for a management group.
targetScope = 'subscription'

@description('The name of the azd environment, whatever azd allows. Names of resources follow from a token made of it.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Where everything is created.')
@metadata({ azd: { type: 'location' } })
param location string

@description('The Entra tenant that is governed.')
param tenantId string = tenant().tenantId

@description('When the nightly scan starts, in UTC: an NCRONTAB expression of six fields.')
param scanSchedule string = '0 0 2 * * *'

@description('Reach storage, Cosmos DB and the vault by private endpoints alone, with public access switched off.')
param privateNetwork bool = false

@description('Judge resources of this subscription as they change. A subscription has one system topic for its events: false where it has one already.')
param watchChanges bool = true

@description('The most instances that the app is scaled out to.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('Spread instances, blobs and documents over zones. Not every region has them: deploying fails where it has not.')
param zoneRedundant bool = false

@description('Take back the vault of an environment of this name that was deleted within 90 days: it cannot be created again.')
param recoverVault bool = false

@description('Instances that always stand ready for workflows. With one, a scan, a fix or a cancellation begins at once.')
@minValue(0)
param durableReady int = 1

@description('How many HTTP requests one instance answers at a time.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 16

@description('What a scraper of /metrics shows; without it there are no metrics. At least 16 characters, or empty: with fewer the app refuses to begin and says so.')
@secure()
param metricsToken string = ''

// azd names environments with letters, digits and -_.() up to 64 long: only the group's name can hold all of these,
// and it may not end in a full stop.
var token = uniqueString(subscription().id, environmentName, location)
var tags = { 'azd-env-name': environmentName }
var scraped = empty(metricsToken) ? {} : { CORTEX_METRICS_TOKEN: metricsToken }
var publicNetworkAccess = privateNetwork ? 'Disabled' : 'Enabled'

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: 'rg-${environmentName}-cortex'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: { location: location, tags: tags, token: token }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: { location: location, tags: tags, token: token, principalId: identity.outputs.principalId }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  scope: group
  params: { location: location, tags: tags, token: token }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    publicNetworkAccess: publicNetworkAccess
    zoneRedundant: zoneRedundant
  }
}

module cosmos 'modules/cosmos.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    publicNetworkAccess: publicNetworkAccess
    zoneRedundant: zoneRedundant
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    tenantId: tenantId
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    publicNetworkAccess: publicNetworkAccess
    recover: recoverVault
  }
}

module endpoints 'modules/endpoints.bicep' = if (privateNetwork) {
  scope: group
  dependsOn: [network]
  params: {
    location: location
    tags: tags
    token: token
    targets: [
      { name: 'blob', resourceId: storage.outputs.id, zone: 'privatelink.blob.${environment().suffixes.storage}' }
      { name: 'queue', resourceId: storage.outputs.id, zone: 'privatelink.queue.${environment().suffixes.storage}' }
      { name: 'table', resourceId: storage.outputs.id, zone: 'privatelink.table.${environment().suffixes.storage}' }
      { name: 'Sql', resourceId: cosmos.outputs.id, zone: 'privatelink.documents.azure.com' }
      { name: 'vault', resourceId: vault.outputs.id, zone: 'privatelink.vaultcore.azure.net' }
    ]
  }
}

module app 'modules/app.bicep' = {
  scope: group
  dependsOn: [endpoints]
  params: {
    location: location
    tags: tags
    token: token
    identityId: identity.outputs.id
    clientId: identity.outputs.clientId
    workspaceId: monitoring.outputs.workspaceId
    insightsConnection: monitoring.outputs.insightsConnection
    storageName: storage.outputs.name
    packages: storage.outputs.packages
    privateNetwork: privateNetwork
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    zoneRedundant: zoneRedundant
    durableReady: durableReady
    settings: union(scraped, {
      CORTEX_TENANT: tenantId
      CORTEX_CLOUD_ENDPOINT: environment().resourceManager
      CORTEX_COSMOS_ENDPOINT: cosmos.outputs.endpoint
      CORTEX_STORAGE_ACCOUNT_URL: storage.outputs.blobEndpoint
      CORTEX_SCAN_SCHEDULE: scanSchedule
    })
  }
}

module watch 'modules/watch.bicep' = if (watchChanges) {
  scope: group
  params: {
    tags: tags
    token: token
    storageGroup: group.name
    storageSubscription: subscription().subscriptionId
    storageName: storage.outputs.name
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output API_URL string = app.outputs.url
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
output STORAGE_ACCOUNT_ID string = storage.outputs.id
